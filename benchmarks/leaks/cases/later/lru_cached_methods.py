"""No leak: modules of a compiler that are cycles, each with a method under ``lru_cache``, which holds the last 500.

Reported as inmanta/inmanta-core#3076.

Holder: the cache of ``Module.names``, full after a quarter of the run; victims are cycles, and wait for the collector.
"""

from __future__ import annotations

from functools import lru_cache

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="modules held by an lru_cache of 500",
    source="https://github.com/inmanta/inmanta-core/issues/3076",
)
_traffic = Traffic(240)


class Statement:
    """Of a module, which it knows."""

    def __init__(self, module: Module, number: int) -> None:
        self.module = module
        self.number = number


class Module:
    """Compiled for one request."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.statements = [Statement(self, line) for line in range(4)]

    @lru_cache(maxsize=500)  # noqa: B019
    def names(self) -> tuple[str, ...]:
        """Of its statements."""
        return tuple(f"{self.number}.{each.number}" for each in self.statements)


def setup() -> None:
    pass


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        module = Module(i)
        assert module.names() is module.names()
