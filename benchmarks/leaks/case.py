"""What a case of the real-process benchmark says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

HALVES = ("tuning", "scoring")


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
    leaking_release: str = ""
    """The release with the bug, as pip takes it; empty where the leak is the program's own."""
    fixed_release: str = ""
    """The release that fixed it, in which the same program must be silent."""
    source: str = ""
    """Where upstream tells of the bug."""

    @property
    def released(self) -> bool:
        """Whether it is a leak of a package on PyPI."""
        return bool(self.leaking_release)


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
    """All cases."""
    from benchmarks.leaks import cases

    return sorted(module.name for module in iter_modules(cases.__path__))
