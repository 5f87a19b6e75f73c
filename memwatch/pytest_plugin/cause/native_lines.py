"""Which line takes memory from the C library and does not give it back: a run that reads its total after each line.

tracemalloc does not see such memory. A line that takes and another that gives back both stand out, so the line is
chosen whose sum is nearest to what stayed.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from memwatch.diagnosis.allocations.sites import Frames
from memwatch.pytest_plugin.calls import Steps
from memwatch.pytest_plugin.counting import collect, malloc_reader

MOST_FRAMES = 25
NEAR = 0.5
"""The line's sum may differ from what stayed by this share of it."""
_OURS = str(Path(__file__).parents[1])

_Place = tuple[CodeType, int]


class _Watch:
    """A trace function for one thread."""

    def __init__(self) -> None:
        self._read = malloc_reader()
        self.taken: defaultdict[_Place, float] = defaultdict(float)
        """KiB by line, less what the line gave back."""
        self.callers: dict[_Place, Frames] = {}
        """The frames in which each was first seen, the innermost first."""
        self._place: _Place | None = None
        self._last = self.read()

    def read(self) -> float:
        """KiB that are in use."""
        return self._read() or 0.0

    def __call__(self, frame: FrameType, event: str, _argument: object) -> Any:
        if self._place is not None:
            self.taken[self._place] += self.read() - self._last
        if frame.f_code.co_filename.startswith(_OURS):
            self._place = None
            return None
        self._enter(frame.f_back if event == "return" else frame)
        self._last = self.read()  # what this function itself takes is not counted
        return self

    def _enter(self, frame: FrameType | None) -> None:
        if frame is None or frame.f_code.co_filename.startswith(_OURS):
            self._place = None
            return
        place = self._place = frame.f_code, frame.f_lineno
        if place not in self.callers:
            self.callers[place] = _frames(frame)


def _frames(frame: FrameType | None) -> Frames:
    found: list[tuple[str, int]] = []
    while frame is not None and len(found) < MOST_FRAMES and not frame.f_code.co_filename.startswith(_OURS):
        found.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return tuple(found)


def native_frames(count: int) -> Steps[Frames]:
    """Of the line that took what stayed of ``count`` calls; empty where no line did."""
    watch = _Watch()
    before_us = sys.gettrace()
    collect()
    try:
        sys.settrace(watch)
        yield max(1, count // 4)  # what the first calls under it keep for themselves is not counted
        sys.settrace(None)
        watch.taken.clear()
        collect()
        start = watch.read()
        sys.settrace(watch)
        yield count
    finally:
        sys.settrace(before_us)
    collect()
    stayed = watch.read() - start
    if stayed <= 0 or not watch.taken:
        return ()
    best = min(watch.taken, key=lambda place: abs(watch.taken[place] - stayed))
    return watch.callers[best] if abs(watch.taken[best] - stayed) <= NEAR * stayed else ()
