"""What each test of a suite keeps (``--memwatch=all``): blocks of memory, and the types of the whole run.

Blocks are read before a test's setup and after its teardown, which takes microseconds. A test that seems to keep more
than the others is followed by a collection of young objects and, as far as that stays a small share of the time, by a
full one. Objects are counted by type before the first test, and at the end where blocks have grown.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import pytest

from memwatch.pytest_plugin import counting
from memwatch.pytest_plugin.noted import KEPT, Note

SUSPICIOUS = 400
"""Blocks kept from which a collection follows: what pytest itself keeps of a test is less."""
MORE_THAN_USUAL = 2
"""A test is named that keeps so many times as much as the one in the middle."""
FREE_S, SHARE = 0.05, 0.04
"""For full collections: so many seconds, and of the time that the run takes this share."""
MOST_TESTS, MOST_TYPES = 20, 10
"""Named at the end."""
LEAST_OBJECTS = 100
LEAST_GROWTH = 2_000
"""Blocks that the whole suite must keep, beside what is usual, for a count of its objects."""
BLOCK_BYTES = 64
"""Assumed for a block, where bytes are shown."""
_OUTPUT = "memwatch_types"


class Kept(NamedTuple):
    """By one test."""

    blocks: int
    modules: int
    """That it imported."""
    collected: int
    """1 where garbage was taken before the count."""

    def __str__(self) -> str:
        return " ".join(map(str, self))

    @classmethod
    def read(cls, text: str) -> Kept:
        """As it was written."""
        blocks, modules, collected = map(int, text.split())
        return cls(blocks, modules, collected)


class Suite:
    """In a worker it measures; in a controller it has what the workers found; without xdist it is both."""

    def __init__(self) -> None:
        self._began = counting.now()
        self._spent_s = 0.0
        self._usual = 0.0
        """What a test in the middle keeps, followed from test to test."""
        self._tests = self._start = self._modules = self._first = 0
        self._counter: counting.Counter | None = None
        self._before: Mapping[str, int] = {}
        self._grown: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Before all other setup."""
        if self._counter is None:
            self._counter = counting.Counter()
            self._before = self._counter.types()
            self._first = counting.blocks()
        self._modules = len(sys.modules)
        self._start = counting.blocks()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """After all other teardown."""
        try:
            return (yield)
        finally:
            item.user_properties.append((KEPT, str(self._kept())))

    def _kept(self) -> Kept:
        kept, collected = counting.blocks() - self._start, 0
        if self._is_much(kept):
            counting.collect_young()
            kept = counting.blocks() - self._start
            began = counting.now()
            if self._is_much(kept) and self._spent_s <= FREE_S + SHARE * (began - self._began):
                counting.collect(1)
                kept, collected = counting.blocks() - self._start, 1
                self._spent_s += counting.now() - began
        self._tests += 1
        self._usual += max(1.0, self._usual / 16) * (1 if kept > self._usual else -1)
        return Kept(kept, len(sys.modules) - self._modules, collected)

    def _is_much(self, kept: int) -> bool:
        return kept > SUSPICIOUS and kept > MORE_THAN_USUAL * self._usual

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Count once more; a worker sends it to its controller."""
        if self._counter is not None and self._has_grown():
            after = self._counter.count().objects
            self._grown = Counter({name: count - self._before.get(name, 0) for name, count in after.items()})
            output = getattr(session.config, "workeroutput", None)
            if output is not None:
                output[_OUTPUT] = {name: count for name, count in self._grown.items() if count >= LEAST_OBJECTS}
        return (yield)

    def _has_grown(self) -> bool:
        return counting.blocks() - self._first - self._tests * min(self._usual, SUSPICIOUS) >= LEAST_GROWTH

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Of a worker that has ended."""
        self._grown.update(getattr(node, "workeroutput", {}).get(_OUTPUT, {}))

    def lines(self, noted: Sequence[Note]) -> Iterator[str]:
        """What the suite keeps."""
        tests = [(note.test, Kept.read(note.value)) for note in noted if note.name == KEPT]
        return report(tests, self._grown)


def report(tests: Sequence[tuple[str, Kept]], grown: Mapping[str, int]) -> Iterator[str]:
    """The text from ``(test, what it keeps)`` and objects by type."""
    if not tests:
        return
    total = sum(kept.blocks for _test, kept in tests)
    usual = median(kept.blocks for _test, kept in tests)
    yield (
        f"{len(tests):,} tests keep {total:,} blocks of memory, about {total * BLOCK_BYTES / 2**20:,.1f} MB; "
        f"a test in the middle keeps {usual:,.0f}, which is pytest's own"
    )
    most = sorted(tests, key=lambda each: -each[1].blocks)[:MOST_TESTS]
    named = [(test, kept) for test, kept in most if kept.blocks > max(SUSPICIOUS, MORE_THAN_USUAL * usual)]
    if named:
        yield f"{'blocks':>12}  {'imports':>7}  test"
    for test, kept in named:
        mark = "" if kept.collected else " at most"
        yield f"{kept.blocks:>12,}  {kept.modules or '':>7}  {test}{mark}"
    types = [(name, count) for name, count in Counter(grown).most_common(MOST_TYPES) if count >= LEAST_OBJECTS]
    if types:
        yield f"objects that came and stayed: {', '.join(f'{count:,} {name}' for name, count in types)}"
