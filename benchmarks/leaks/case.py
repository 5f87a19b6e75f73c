"""What a case of the real-process benchmark says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import walk_packages
from typing import Protocol, cast

HALVES = ("tuning", "scoring")
EARLIER, REPORTS, LATER, FRESH, UNSEEN = GROUPS = ("earlier", "reports", "later", "fresh", "unseen")
"""Sets of cases that are judged apart: those in ``cases/`` itself, and those in each of its folders of these names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The truth about one small program, fixed before it was judged."""

    half: str
    """``tuning``: the rules were looked at with it; ``scoring``: they were not."""
    what: str
    """What it does, in a line."""
    leaks: str | None = None
    """``objects``, ``untracked`` or ``native``; ``None`` for a harmless one."""
    culprit: tuple[str, ...] = ()
    """Type or container names, any of which tells a developer where to look; the kind alone where this is empty."""
    holder: tuple[str, ...] = ()
    """Names of what keeps the leak, a container or variable, each of which is right; empty where none in Python does,
    and in sets that were written without it."""
    leaking_release: str = ""
    """The release with the bug, as pip takes it; empty where the leak is the program's own."""
    fixed_release: str = ""
    """The release that fixed it, in which the same program must be silent."""
    requires: tuple[str, ...] = ()
    """What else its environment holds, as pip takes it; without a release, the packages it runs with."""
    source: str = ""
    """Where upstream tells of the bug, or of what was taken for one."""

    @property
    def released(self) -> bool:
        """Whether it is a leak of a package on PyPI."""
        return bool(self.leaking_release)

    def installed(self, release: str) -> str:
        """What is installed for it under ``release``, separated by spaces; empty for this very environment."""
        return " ".join(filter(None, (release, *self.requires)))


class Program(Protocol):
    """A module of :mod:`benchmarks.leaks.cases`."""

    CASE: Case
    setup: Callable[[], None]
    """Everything up to the first request."""
    step: Callable[[int], None]
    """One request or job."""


def load(name: str) -> Program:
    """The case's module. Importing it imports nothing heavy: ``setup`` does."""
    return cast("Program", import_module(f"benchmarks.leaks.cases.{name}"))


def names() -> list[str]:
    """All cases; those in folders with the folders' names before them, separated by dots."""
    from benchmarks.leaks import cases

    prefix = f"{cases.__name__}."
    modules = walk_packages(cases.__path__, prefix)
    return sorted(module.name.removeprefix(prefix) for module in modules if not module.ispkg)


def group_of(name: str) -> str:
    """The set that a case was written with: its first folder, or ``earlier``."""
    return name.partition(".")[0] if "." in name else EARLIER
