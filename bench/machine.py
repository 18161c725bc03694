"""The machine: what it is, which core does what, and what a process has used of it."""

import os
import platform
import re
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PACKAGES = ("strawberry-graphql", "graphql-core", "starlette", "uvicorn", "uvloop", "tortoise-orm", "aiosqlite")


def core_of_the_server() -> set[int]:
    """The last core, alone. Without a second one both share all there is."""
    return set(_cores()[-1:])


def cores_of_the_load() -> set[int]:
    """All the others."""
    return set(_cores()[:-1] or _cores())


def pin(pid: int, cores: set[int]) -> None:
    """Keeps a process, with the threads that it will start, on these cores. 0 is the caller."""
    os.sched_setaffinity(pid, cores)


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, all its threads together; to the hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_bytes(pid: int) -> int:
    """The memory that a process holds."""
    [kibibytes] = re.findall(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(kibibytes) * 1024


def load_average() -> float:
    """How many processes wanted to run in the last minute: whoever else is at work here shows in it."""
    return os.getloadavg()[0]


def description() -> str:
    """The processor, its cores and the memory, in one line."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = model[1] if model else platform.machine()
    return f"{name}, {len(_cores())} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}"


def versions() -> str:
    """Python, how it was built, and the packages that the figures depend on."""
    python = f"Python {platform.python_version()}, built {'with' if is_optimised() else 'without'} optimisation"
    return ", ".join([python, *(f"{name} {version(name)}" for name in _PACKAGES)])


def is_optimised() -> bool:
    """Whether this Python was built with optimisation by profiles, as official builds say of themselves. Those of
    distributions are, and don't say so; they are known by where they are."""
    said = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return "--enable-optimizations" in said or (sys.base_prefix == "/usr" and sys.platform == "linux")


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))
