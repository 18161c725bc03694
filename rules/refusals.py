"""A refusal as a value: a code, a sentence for a person and the path to the input."""

from dataclasses import dataclass

from rules.vocabulary import RefusalCode


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something may not be done. `path` leads to the input, e.g. ("amount",); empty when no input is at fault."""

    code: RefusalCode
    message: str
    path: tuple[str, ...] = ()

    def at(self, *path: str) -> "Refusal":
        """The same refusal, pointing at an input."""
        return Refusal(self.code, self.message, path)


class Refused(Exception):
    """Raised by the rules: the command changes nothing. Carries one refusal or more, the gravest first."""

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__("; ".join(refusal.code for refusal in refusals))
        self.refusals = refusals


NOT_FOUND = Refusal(RefusalCode.NOT_FOUND, "There is nothing with this id that you may see.")
"""One value for «does not exist» and «is not yours», so that the two can't be told apart."""
