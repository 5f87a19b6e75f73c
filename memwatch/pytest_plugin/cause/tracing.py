"""Which line makes what leaks: a run under tracemalloc, begun and ended here."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from memwatch.detection.series import SMALL_BYTES
from memwatch.diagnosis.allocations import sites
from memwatch.diagnosis.allocations.sites import Frames, Sizes, own_caller
from memwatch.diagnosis.allocations.tracebacks import reader_of
from memwatch.diagnosis.source_lines import Sources
from memwatch.pytest_plugin.calls import Calls, Steps
from memwatch.pytest_plugin.cause.pace import warm_up
from memwatch.pytest_plugin.counting import settle
from memwatch.pytest_plugin.findings import Growth, Line
from memwatch.pytest_plugin.ledger import MAPPED
from memwatch.sampling.type_names import type_name

FRAMES = 25
EXPLAINED = 0.5
"""Native memory of which tracemalloc sees less than this share was taken behind its back."""
LARGE = SMALL_BYTES + 1
"""Bytes of a block that Python takes from the C library: smaller ones are not in its figure."""
PARTS = 4
"""Of the traced calls, with a look after each."""
_OURS = f"{Path(__file__).parents[1]}{os.sep}"


def line_of(growth: Growth, count: int, calls: Calls) -> Steps[Line | None]:
    """The line that made most of what came in ``count`` calls and stayed; ``None`` where none is known."""
    frames: Frames = ()
    is_seen = False
    if growth.memory != MAPPED:
        frames, gained, made = yield from _traced(growth, count, calls)
        is_seen = growth.unit != "KiB" or gained >= EXPLAINED * growth.per_call * made * 1024
    if not is_seen:
        frames = yield from _native(growth, count, calls)
    return _line(frames) if frames else None


def _native(growth: Growth, count: int, calls: Calls) -> Steps[Frames]:
    """Of memory that was taken behind its back. Pools that grow in stairs show in the pages that are touched."""
    from memwatch.pytest_plugin import system_memory  # noqa: PLC0415 - where it leaks
    from memwatch.pytest_plugin.cause.native_lines import native_frames  # noqa: PLC0415

    in_use = system_memory.data_kib if growth.memory == MAPPED else system_memory.malloc_reader()
    found = yield from native_frames(count, growth.per_call, in_use, calls)
    if found is None:
        found = yield from native_frames(count, growth.per_call, in_use, calls, own_code=True)
    if not found:
        found = yield from native_frames(count, growth.per_call, system_memory.private_kib, calls, own_code=True)
    return found or ()


def _traced(growth: Growth, count: int, calls: Calls) -> Steps[tuple[Frames, int, int]]:
    """The frames of that line, what was gained (bytes of native memory, else objects or blocks), and the calls."""
    import _tracemalloc  # noqa: PLC0415 - only where something leaks

    starts = not _tracemalloc.is_tracing()
    if starts:
        _tracemalloc.start(FRAMES)
    looks: list[Counter[Frames]] = []
    made = 0
    try:
        count = yield from warm_up(count, calls)
        looks.append(_look(growth))
        parts = min(PARTS, count)
        for part in range(parts):
            made += yield count * (part + 1) // parts - count * part // parts
            looks.append(_look(growth))
    finally:
        if starts:
            _tracemalloc.stop()
    return *_most_gained(looks), made


def _look(growth: Growth) -> Counter[Frames]:
    """What there is now, by the frames within the calls that made it."""
    settle()
    by_size = 0 if growth.unit == "KiB" else 1
    found: Counter[Frames] = Counter()
    least = LARGE if growth.unit == "KiB" else 0
    for frames, sizes in (_of_type(growth.type) if growth.kind == "objects" else _sizes(least)).items():
        if inner := _without_ours(frames):
            found[inner] += sizes[by_size]
    return found


def _most_gained(looks: Sequence[Counter[Frames]]) -> tuple[Frames, int]:
    """Of the frames that gained in every part, if there are any: what comes and goes falls in one of them."""
    gained = looks[-1] - looks[0]
    if not gained:
        return (), 0
    parts = list(pairwise(looks))
    return max(
        gained.items(), key=lambda each: (all(after[each[0]] > before[each[0]] for before, after in parts), each[1])
    )


def _of_type(name: str) -> Sizes:
    """Instances by the frames that made them."""
    objects = gc.get_objects()
    counts: Counter[Frames] = Counter()
    for of in set(map(type, objects)):
        if type_name(of) == name:
            counts.update(filter(None, reader_of((of,))([item for item in objects if type(item) is of])))
    return {frames: [0, count] for frames, count in counts.items()}


def _sizes(least: int) -> Sizes:
    """Bytes and blocks by the frames that allocated them, of blocks with at least so many bytes."""
    import _tracemalloc  # noqa: PLC0415

    steps = sites.by_frames([trace for trace in _tracemalloc._get_traces() if trace[1] >= least])
    while True:
        try:
            next(steps)
        except StopIteration as end:
            sizes: Sizes = end.value
            return sizes


def _line(frames: Frames) -> Line:
    sources = Sources()
    file, line = frames[0]
    caller = own_caller(frames)
    return Line(
        code=f"{shown(file)}:{line}",
        code_line=sources.code(file, line),
        called_from="" if caller is None else f"{shown(caller[0])}:{caller[1]}",
        caller_line="" if caller is None else sources.code(*caller),
    )


def _without_ours(frames: Frames) -> Frames:
    """The frames within the call: those from our own on are pytest's."""
    for number, (file, _line) in enumerate(frames):
        if file.startswith(_OURS):
            return frames[:number]
    return frames


def shown(file: str) -> str:
    """Relative to the working directory, where it lies below it."""
    return file.removeprefix(f"{Path.cwd()}{os.sep}")
