"""The operator's policy file: one TOML document, read once at start."""

import tomllib
from pathlib import Path

from rules.policy import DEFAULT, Policy, PolicyProblem

LARGEST = 1_000_000
"""In bytes. A policy is a few kilobytes; whatever is larger is some other file."""


def read_policy(path: Path | None) -> Policy:
    """The defaults as this file changes them; the defaults alone when there is no file. Raises PolicyProblem, in one
    line that begins with the file's name: a file that can't be read, that is not TOML, that says what can't be."""
    if path is None:
        return DEFAULT
    try:
        return Policy.from_mapping(tomllib.loads(_text(path)))
    except OSError as error:
        raise PolicyProblem(f"{path} can't be read: {error.strerror or type(error).__name__}.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyProblem(f"{path} is not TOML: {_words(error)}.") from None
    except PolicyProblem as problem:
        raise PolicyProblem(f"{path}: {problem}.") from None


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise PolicyProblem(f"is larger than {LARGEST:,} bytes")
    return content.decode("utf-8-sig")


def _words(error: Exception) -> str:
    if isinstance(error, tomllib.TOMLDecodeError):
        return " ".join(str(error).split())
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "it is nested too deeply"
