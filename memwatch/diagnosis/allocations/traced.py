"""What tracemalloc has seen, added up in a copy of the process: the program pauses for the fork alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from memwatch.diagnosis.allocations import sites
from memwatch.diagnosis.allocations.sites import Frames, Sizes
from memwatch.diagnosis.allocations.tracebacks import reader_of
from memwatch.diagnosis.context import Refused
from memwatch.diagnosis.copy.child import to_the_end
from memwatch.diagnosis.referrers import subjects

STOPPED = "tracemalloc was stopped by the program during the recording: nothing is left to show"
TOO_LATE = (
    "the first copy of the process got stuck, and tracing had ended before the second was made: record again later, "
    "when the machine is less busy"
)
MOST_FRAMES = 60_000
"""The number of stacks in a result, the heaviest first."""


def added_up(type_name: str, *, ended: bool = False) -> bytes:
    """Bytes and blocks by the frames that allocated them, and instances of the type likewise. Tracing is off then.

    ``ended``: memwatch itself has ended the tracing, because an earlier copy seemed to have it all.
    """
    import _tracemalloc  # noqa: PLC0415 - loaded before the fork

    if not _tracemalloc.is_tracing():
        raise Refused(TOO_LATE if ended else STOPPED)
    of_type: Counter[Frames] = Counter()
    refused = ""
    try:
        for instances in subjects.instances_of(type_name) if type_name else ():
            of_type.update(filter(None, reader_of((type(instances[0]),))(instances)))
    except Refused as none:
        refused = str(none)
    traces = _tracemalloc._get_traces()
    _tracemalloc.stop()
    sizes: Sizes = to_the_end(sites.by_frames(traces))
    chosen: list[Frames] = list(of_type)
    room = MOST_FRAMES - sum(map(len, chosen))
    for frames in sorted(sizes, key=lambda each: sizes[each][0], reverse=True):
        room -= len(frames)
        if room < 0:
            break
        if frames not in of_type:
            chosen.append(frames)
    files: dict[str, int] = {}
    rows = [[_packed(frames, files), *sizes.get(frames, [0, 0]), of_type.get(frames, 0)] for frames in chosen]
    return json.dumps({"files": list(files), "rows": rows, "refused": refused}, separators=(",", ":")).encode()


def _packed(frames: Frames, files: dict[str, int]) -> list[int]:
    return [number for file, line in frames for number in (files.setdefault(file, len(files)), line)]


def taken_apart(content: bytes) -> tuple[Sizes, dict[Frames, int], str]:
    """The trace, back in the process: sizes, instances of the type, and why none were found."""
    found = json.loads(content)
    sizes: Sizes = {}
    of_type: dict[Frames, int] = {}
    for packed, size, blocks, instances in found["rows"]:
        frames = _frames(packed, found["files"])
        if blocks:
            sizes[frames] = [size, blocks]
        if instances:
            of_type[frames] = instances
    return sizes, of_type, found["refused"]


def _frames(packed: Iterable[Any], files: list[str]) -> Frames:
    numbers = iter(packed)
    return tuple((files[file], line) for file, line in zip(numbers, numbers, strict=True))
