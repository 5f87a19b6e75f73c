"""What each test of a suite keeps (``--memwatch=all``): blocks of memory, and the types of the whole run.

Blocks are read after each test's teardown. A reading goes through all pools of the heap, from a microsecond to a
millisecond: where tests are quicker than that, some of them share one. A test that seems to keep more than the others
is followed by a collection of young objects and, as far as that stays a small share of the time, by a full one. Objects
are counted by type before the first test, and at the end where blocks have grown.
"""

from __future__ import annotations

import gc
import sys
from array import array
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import chain, repeat
from statistics import median
from typing import Any, NamedTuple

import pytest

from memwatch.pytest_plugin import counting
from memwatch.pytest_plugin.noted import KEPT, Note

SUSPICIOUS = 400
"""Blocks kept from which a collection follows: what pytest itself keeps of a test is less."""
MORE_THAN_USUAL = 2
"""A test is named that keeps so many times as much as the one in the middle."""
FREE_S, SHARE = 0.05, 0.03
"""For full collections: so many seconds, and of the time that the run takes this share."""
READING_SHARE = 0.02
"""Of that time for readings."""
MOST_TESTS, MOST_TYPES = 20, 10
"""Named at the end."""
LEAST_OBJECTS = 100
LEAST_GROWTH, LEAST_SHARE = 2_000, 0.1
"""Blocks that the whole suite must keep for a count of its objects, beside what is usual, and as a share of that."""
BLOCK_BYTES = 64
"""Assumed for a block, where bytes are shown."""
_CONTROLLER = "dsession"
"""pytest-xdist's plug-in in the process that hands out the tests."""
_OUTPUT = "memwatch_types"
_OF_PYTEST = ("_pytest.", "memwatch.pytest_plugin.")


class Kept(NamedTuple):
    """By one test, or by some that share a reading."""

    blocks: int
    modules: int
    """That were imported."""
    collected: int
    """1 where garbage was taken before the count."""
    tests: int = 1
    """It and the ones before it."""

    def __str__(self) -> str:
        return " ".join(map(str, self))

    @property
    def each(self) -> float:
        """Blocks that a test keeps."""
        return self.blocks / self.tests

    @classmethod
    def read(cls, text: str) -> Kept:
        """As it was written."""
        return cls(*map(int, text.split()))


class Suite:
    """In a worker it measures; in a controller it has what the workers found; without xdist it is both."""

    def __init__(self) -> None:
        self._began = self._read_at = counting.now()
        self._reading_s = 0.0
        """What the last one took: of CPU, as a busy machine may make it wait for long."""
        self._collecting_s = 0.0
        self._usual = 0.0
        """What a test in the middle keeps, followed from test to test."""
        self._last = self._modules = self._unread = 0
        self._each = array("d")
        """What each test keeps, of those that were read."""
        self._counter: counting.Counter | None = None
        self._before: Mapping[str, int] = {}
        self._grown: Counter[str] = Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Before the first test. A controller of pytest-xdist runs none, so it counts nothing."""
        if session.config.pluginmanager.hasplugin(_CONTROLLER):
            return
        self._counter = counting.Counter()
        self._before = self._counter.types()
        self._modules, self._last = len(sys.modules), counting.blocks()
        self._read_at = counting.now()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """After all other teardown."""
        try:
            return (yield)
        finally:
            self._unread += 1
            now = counting.now()
            if nextitem is None or self._reading_s <= READING_SHARE * (now - self._read_at):
                item.user_properties.append((KEPT, str(self._read())))

    def _read(self) -> Kept:
        began = counting.cpu_now()
        kept, collected = counting.blocks() - self._last, 0
        self._reading_s = counting.cpu_now() - began
        self._read_at = counting.now()
        if self._is_much(kept):
            kept, collected = self._read_again(kept)
        tests, self._unread = self._unread, 0
        each = kept / tests
        self._each.extend(repeat(each, tests))
        self._usual += max(4.0, self._usual / 16) * (1 if each > self._usual else -1)
        modules, self._modules = len(sys.modules) - self._modules, len(sys.modules)
        self._last += kept
        return Kept(kept, modules, collected, tests)

    def _read_again(self, kept: int) -> tuple[int, int]:
        """Without garbage, and whether that was all of it."""
        counting.collect_young()
        kept = counting.blocks() - self._last
        began = counting.now()
        if not self._is_much(kept) or self._collecting_s > FREE_S + SHARE * (began - self._began):
            return kept, 0
        counting.collect(1)
        kept = counting.blocks() - self._last
        self._collecting_s += counting.now() - began
        return kept, 1

    def _is_much(self, kept: int) -> bool:
        return kept > max(SUSPICIOUS, MORE_THAN_USUAL * self._usual * self._unread)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Count once more; a worker sends it to its controller."""
        if self._counter is not None and self._has_grown():
            after = self._counter.count().objects
            own = _of_reports()
            self._grown = Counter(
                {
                    name: count - self._before.get(name, 0) - own[name]
                    for name, count in after.items()
                    if not name.startswith(_OF_PYTEST)
                }
            )
            output = getattr(session.config, "workeroutput", None)
            if output is not None:
                output[_OUTPUT] = {name: count for name, count in self._grown.items() if count >= LEAST_OBJECTS}
        return (yield)

    def _has_grown(self) -> bool:
        if not self._each:
            return False
        usual = len(self._each) * median(self._each)
        return sum(self._each) - usual >= max(LEAST_GROWTH, LEAST_SHARE * usual)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Of a worker that has ended."""
        self._grown.update(getattr(node, "workeroutput", {}).get(_OUTPUT, {}))

    def lines(self, noted: Sequence[Note]) -> Iterator[str]:
        """What the suite keeps."""
        tests = [(note.test, Kept.read(note.value)) for note in noted if note.name == KEPT]
        return report(tests, self._grown)


def _of_reports() -> Counter[str]:
    """Objects that pytest keeps of the tests that ran: what its reports hold, by type."""
    reports = [item for item in gc.get_objects() if type(item) is pytest.TestReport]
    held = [item for item in gc.get_referents(*reports) if type(item) is dict]
    inner = {id(item): item for item in chain(held, gc.get_referents(*held)) if gc.is_tracked(item)}
    return Counter(type(item).__qualname__ for item in inner.values())


def report(tests: Sequence[tuple[str, Kept]], grown: Mapping[str, int]) -> Iterator[str]:
    """The text from ``(test, what it keeps)`` and objects by type."""
    if not tests:
        return
    total = sum(kept.blocks for _test, kept in tests)
    count = sum(kept.tests for _test, kept in tests)
    usual = median(chain.from_iterable(repeat(kept.each, kept.tests) for _test, kept in tests))
    yield (
        f"{count:,} test{'' if count == 1 else 's'} kept {total:,} blocks of memory, about "
        f"{total * BLOCK_BYTES / 2**20:,.1f} MB; a test in the middle kept {usual:,.0f}, which is pytest's own"
    )
    most = sorted(tests, key=lambda each: -each[1].blocks)[:MOST_TESTS]
    named = [(test, kept) for test, kept in most if kept.blocks > max(SUSPICIOUS, MORE_THAN_USUAL * usual * kept.tests)]
    if named:
        yield f"{'blocks':>12}  {'imports':>7}  test"
    for test, kept in named:
        before = f" and the {kept.tests - 1} before it" if kept.tests > 1 else ""
        mark = "" if kept.collected else " (may include garbage)"
        yield f"{kept.blocks:>12,}  {kept.modules or '':>7}  {test}{before}{mark}"
    types = [(name, count) for name, count in Counter(grown).most_common(MOST_TYPES) if count >= LEAST_OBJECTS]
    if types:
        yield f"objects that came and stayed: {', '.join(f'{count:,} {name}' for name, count in types)}"
