"""What is watched for the unusual: each figure once, with the difference that counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

MB, COUNT, A_JOB = "MB", "", "per 1,000 jobs"
"""Units."""

MEMORY, HEAP, OBJECTS, THREADS, COLLECTOR, PAGING = (
    "memory", "heap", "objects", "threads", "collector", "paging",
)  # fmt: skip
"""Aspects. Figures of one aspect rise together whatever the reason, so that they count as one voice."""


@dataclasses.dataclass(frozen=True, slots=True)
class Watched:
    """One figure of a process."""

    name: str
    label: str
    unit: str
    aspect: str
    _: dataclasses.KW_ONLY
    least: float
    """A smaller difference is none, in the figure's unit."""
    share: float
    """Nor is one that is a smaller share of the usual value."""
    column: str
    """The column of snapshots and roll-ups that it comes from."""
    less: str = ""
    """A column that is taken off it."""
    scale: float = 1.0
    """What the column's value is divided by."""
    total: bool = False
    """Whether the column counts since the process began: then its rise is what is compared."""


_ALL = (
    Watched("rss", "Resident memory", MB, MEMORY, least=24, share=0.2, column="rss_kib", scale=1024),
    Watched("uss", "Its own memory (USS)", MB, MEMORY, least=24, share=0.25, column="uss_kib", scale=1024),
    Watched("heap", "Heap used", MB, HEAP, least=16, share=0.25, column="heap_used_kib", scale=1024),
    Watched("objects", "Objects", COUNT, OBJECTS, least=40_000, share=0.25, column="total_objects"),
    Watched("blocks", "Allocated blocks", COUNT, OBJECTS, least=100_000, share=0.25, column="allocated_blocks"),
    Watched(
        "free_heap", "Free heap", MB, MEMORY, least=24, share=0.5,
        column="heap_committed_kib", less="heap_used_kib", scale=1024,
    ),
    Watched("threads", "Threads", COUNT, THREADS, least=6, share=0.5, column="threads"),
    Watched(
        "collections", "Full collections", A_JOB, COLLECTOR, least=0.5, share=0.8,
        column="gc_collections_gen2", total=True,
    ),
    Watched(
        "page_faults", "Major page faults", A_JOB, PAGING, least=200, share=2.0,
        column="page_faults", total=True,
    ),
    Watched("swap", "Swapped out", MB, PAGING, least=48, share=0.5, column="swap_kib", scale=1024),
)  # fmt: skip
WATCHED: Mapping[str, Watched] = {each.name: each for each in _ALL}
"""By name, in the order in which they are shown."""

Values = Mapping[str, float]
"""The figures of a process or a service by name; one that is not known is missing."""
FEWEST_JOBS = 20.0
"""Between two looks. With fewer, what is counted by the job says nothing."""


def values_of(columns: Mapping[str, float | None], rises: Mapping[str, float | None], jobs: float | None) -> Values:
    """The figures, from the mean of each column and from how much its totals rose while so many jobs were done."""
    found: dict[str, float] = {}
    for name, each in WATCHED.items():
        if each.total:
            rise = rises.get(each.column)
            if rise is not None and jobs is not None and jobs >= FEWEST_JOBS:
                found[name] = rise / jobs * 1000
            continue
        value, less = columns.get(each.column), columns.get(each.less) if each.less else 0.0
        if value is not None and less is not None:
            found[name] = max(0.0, (value - less) / each.scale)
    return found
