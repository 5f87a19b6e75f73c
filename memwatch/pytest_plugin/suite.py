"""What each test of a suite keeps (``--memwatch=all``): blocks of memory, and the types of the whole run.

Blocks are read before a test's setup and after its teardown, which takes microseconds. A test that seems to keep many
is followed by a full collection, as far as that stays a small share of the time.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import pytest

from memwatch.pytest_plugin import counting
from memwatch.pytest_plugin.noted import KEPT, Note

SUSPICIOUS = 400
"""Blocks kept from which a collection follows: what pytest itself keeps of a test is far less."""
SHARE = 0.04
"""Of the time, for collections."""
MOST_TESTS, MOST_TYPES = 20, 10
"""Named at the end."""
LEAST_OBJECTS = 100
BLOCK_BYTES = 64
"""Assumed for a block, where bytes are shown."""
_OUTPUT = "memwatch_types"


class Suite:
    """In a worker it measures; in a controller it has what the workers found; without xdist it is both."""

    def __init__(self) -> None:
        self._began = counting.now()
        self._spent_s = 0.0
        self._start = self._modules = 0
        self._counter: counting.Counter | None = None
        self._before: Mapping[str, int] = {}
        self._grown: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Before all other setup."""
        if self._counter is None:
            self._counter = counting.Counter()
            self._before = self._counter.count().objects
        self._modules = len(sys.modules)
        self._start = counting.blocks()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """After all other teardown."""
        try:
            return (yield)
        finally:
            item.user_properties.append((KEPT, json.dumps(self._kept())))

    def _kept(self) -> dict[str, int]:
        kept, collected = counting.blocks() - self._start, False
        began = counting.now()
        if kept > SUSPICIOUS and self._spent_s <= SHARE * (began - self._began):
            counting.collect(1)
            kept, collected = counting.blocks() - self._start, True
            self._spent_s += counting.now() - began
        return {"blocks": kept, "modules": len(sys.modules) - self._modules, "collected": int(collected)}

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Count once more; a worker sends it to its controller."""
        if self._counter is not None:
            after = self._counter.count().objects
            self._grown = Counter({name: count - self._before.get(name, 0) for name, count in after.items()})
            output = getattr(session.config, "workeroutput", None)
            if output is not None:
                output[_OUTPUT] = {name: count for name, count in self._grown.items() if count >= LEAST_OBJECTS}
        return (yield)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Of a worker that has ended."""
        self._grown.update(getattr(node, "workeroutput", {}).get(_OUTPUT, {}))

    def lines(self, noted: Sequence[Note]) -> Iterator[str]:
        """What the suite keeps."""
        tests = [(note.test, json.loads(note.value)) for note in noted if note.name == KEPT]
        return report(tests, self._grown)


def report(tests: Sequence[tuple[str, Mapping[str, int]]], grown: Mapping[str, int]) -> Iterator[str]:
    """The text from ``(test, what it keeps)`` and objects by type."""
    if not tests:
        return
    total = sum(kept["blocks"] for _test, kept in tests)
    usual = median(kept["blocks"] for _test, kept in tests)
    yield (
        f"{len(tests):,} tests keep {total:,} blocks of memory, about {total * BLOCK_BYTES / 2**20:,.1f} MB; "
        f"a test in the middle keeps {usual:,.0f}, which is pytest's own"
    )
    most = sorted(tests, key=lambda each: -each[1]["blocks"])[:MOST_TESTS]
    named = [(test, kept) for test, kept in most if kept["blocks"] > max(SUSPICIOUS, 2 * usual)]
    if named:
        yield f"{'blocks':>12}  {'imports':>7}  test"
    for test, kept in named:
        mark = "" if kept["collected"] else " at most"
        yield f"{kept['blocks']:>12,}  {kept['modules'] or '':>7}  {test}{mark}"
    types = [(name, count) for name, count in Counter(grown).most_common(MOST_TYPES) if count >= LEAST_OBJECTS]
    if types:
        yield f"objects that came and stayed: {', '.join(f'{count:,} {name}' for name, count in types)}"
