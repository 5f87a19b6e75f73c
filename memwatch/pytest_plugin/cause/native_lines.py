"""Which line takes memory that tracemalloc does not see: a run that reads the total before and after each line.

A line that takes and another that gives back both stand out, so it is the innermost call that is chosen of which the
sum, with all that happens within it, is near to what stayed. That also finds the line which waits while others take
memory, such as threads of C.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from memwatch.diagnosis.allocations.sites import Frames, is_library
from memwatch.pytest_plugin.calls import Calls, Steps
from memwatch.pytest_plugin.cause.pace import LONGEST_S, warm_up
from memwatch.pytest_plugin.counting import now, settle
from memwatch.pytest_plugin.system_memory import Reader

MOST_FRAMES = 25
NEAR = 0.5
"""The line's sum may differ from what stayed by this share of it."""
SEEN = 0.2
"""Share of the expected growth from which it is there: else this run has seen none of it."""
MOST_NODES = 20_000
"""Lines under the calls that led to them; what comes after counts for its caller."""
_TIME_EVERY = 256
"""Events between two looks at the clock."""
_OURS = str(Path(__file__).parents[1])

_Place = tuple[CodeType, int]


class _Node:
    """A line of code under the calls that led to it."""

    __slots__ = ("above", "below", "place", "taken")

    def __init__(self, place: _Place | None = None, above: _Node | None = None) -> None:
        self.place = place
        self.above = above
        self.below: dict[_Place, _Node] = {}
        self.taken = 0.0
        """KiB, less what the line gave back; not of what it called."""

    def all(self) -> list[_Node]:
        """Itself, and what was called. Calls may be deeper than Python lets one recurse."""
        found = [self]
        for node in found:
            found += node.below.values()
        return found

    def clear(self) -> None:
        """The sums."""
        for node in self.all():
            node.taken = 0.0

    def total(self) -> float:
        """With what was called."""
        return sum(node.taken for node in self.all())

    def lines(self) -> dict[_Place, list[_Node]]:
        """What was called, by the line, however it was reached."""
        found: dict[_Place, list[_Node]] = {}
        for node in self.all():
            if node.place is not None and node is not self:
                found.setdefault(node.place, []).append(node)
        return found

    def frames(self) -> Frames:
        """The innermost first."""
        found: list[tuple[str, int]] = []
        node: _Node | None = self
        while node is not None and node.place is not None and len(found) < MOST_FRAMES:
            found.append((node.place[0].co_filename, node.place[1]))
            node = node.above
        return tuple(found)


class _Watch:
    """A trace function for one thread."""

    def __init__(self, read: Reader, *, own_code: bool) -> None:
        """``own_code``: what libraries do counts for the program's line that calls them, which takes less time."""
        self._read = read
        self._own_code = own_code
        self._skipped: dict[str, bool] = {}
        """By file."""
        self.root = _Node()
        self.own = 0.0
        """KiB that this itself took."""
        self._nodes: dict[FrameType, _Node] = {}
        """Of frames that run: where each is."""
        self._node: _Node | None = None
        self._nodes_left, self._events, self._until = MOST_NODES, 0, now() + LONGEST_S
        self.is_over = False
        """It took too long, and watches no more."""
        self._last = self.read()

    def read(self) -> float:
        """KiB that are in use."""
        return self._read() or 0.0

    def __call__(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event == "call" and self._skips(frame.f_code.co_filename):
            return None
        self._events += 1
        if self._events % _TIME_EVERY == 0 and now() > self._until:
            self.is_over = True
            sys.settrace(None)
            return None
        used = self.read()
        if self._node is not None:
            self._node.taken += used - self._last
        self._last = used
        if event == "return":
            self._nodes.pop(frame, None)
            self._node = self._above(frame)
            return self
        caller, place = self._above(frame) or self.root, (frame.f_code, frame.f_lineno)
        node = caller.below.get(place)
        if node is None and self._nodes_left:
            self._nodes_left -= 1
            node = caller.below[place] = _Node(place, caller)
            self._last = self.read()
            self.own += self._last - used
        node = node or caller
        self._node = self._nodes[frame] = node
        return self

    def _skips(self, file: str) -> bool:
        found = self._skipped.get(file)
        if found is None:
            found = self._skipped[file] = file.startswith(_OURS) or (self._own_code and is_library(file))
        return found

    def _above(self, frame: FrameType) -> _Node | None:
        """Where the nearest caller is that is followed."""
        caller = frame.f_back
        while caller is not None:
            node = self._nodes.get(caller)
            if node is not None:
                return node
            caller = caller.f_back
        return None


def native_frames(
    count: int, per_call: float, read: Reader, calls: Calls, *, own_code: bool = False
) -> Steps[Frames | None]:
    """Of the line that took what stayed of ``count`` calls, or of as many as there is time for; empty where none did.

    ``None`` where none did, but there was time for less than half of the calls. A call that takes long under the watch
    is left to end without it.
    ``per_call``: KiB that are expected to stay. ``read``: KiB of now. ``own_code``: only of the program's own lines.
    """
    watch = _Watch(read, own_code=own_code)
    before_us = sys.gettrace()
    settle()
    try:
        sys.settrace(watch)
        yield from warm_up(count, calls)
        sys.settrace(None)
        if watch.is_over:
            return None
        watch.root.clear()
        settle()
        start, own = watch.read(), watch.own
        sys.settrace(watch)
        made = yield count
    finally:
        sys.settrace(before_us)
    if watch.is_over or not made:
        return None
    settle()
    stayed = watch.read() - start - (watch.own - own)
    frames = _taker(watch.root, stayed) if stayed > SEEN * per_call * made else ()
    return frames or (() if made >= count / 2 else None)


def _taker(root: _Node, stayed: float) -> Frames:
    """From the outermost call down, as long as what happens within one is near to what stayed."""

    def is_near(taken: float) -> bool:
        return abs(taken - stayed) <= NEAR * stayed

    node = root
    while near := [below for below in node.below.values() if is_near(below.total())]:
        node = min(near, key=lambda below: abs(below.total() - stayed))
    lines = node.lines()
    sums = {place: sum(each.taken for each in nodes) for place, nodes in lines.items()}
    best = max(sums, key=lambda place: sums[place], default=None)
    if best is None or not is_near(sums[best]) or sum(map(abs, sums.values())) - sums[best] > NEAR * stayed:
        return node.frames()
    return max(lines[best], key=lambda each: each.taken).frames()  # it is called from several places
