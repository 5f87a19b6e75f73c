"""Where resident memory has grown, from the mappings of a heap summary, in sentences.

An agent may have sent anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from memwatch.diagnosis.structure.fields import number, size
from memwatch.sampling import mappings

LEAST_KB = 8 * 1024.0
"""Less is what a process takes as it warms up."""
SHARE, MOST = 0.2, 3
"""Groups with this share of the growth are named, the largest first."""

ANONYMOUS = "anonymous mappings"
"""Of all sizes: the system joins neighbours to larger ones."""

MEANING: Mapping[str, str] = {
    mappings.BRK: "what extension modules allocate with malloc, and Python's objects over 512 bytes",
    mappings.ARENAS: "what threads allocate with malloc: each that finds the others busy gets an arena of its own, and "
    "MALLOC_ARENA_MAX limits them",
    mappings.STACKS: "the memory of more threads, or of deeper calls",
    mappings.SHARED: "memory that several processes use, or that a file in memory holds",
    ANONYMOUS: "arenas of Python's allocator, large blocks such as arrays and buffers, or the arenas of an allocator "
    "that a library brings",
}
"""What the memory of a group usually is."""


_SIZES = (mappings.SMALL, mappings.MIDDLE, mappings.LARGE)


def sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """``Resident memory has grown by 230 MB since the baseline: 212 MB in …``; empty where little has grown.

    ``rows``: those of :class:`memwatch.diagnosis.results.Mappings`.
    """
    growth: Counter[str] = Counter()
    for row in rows:
        if row.get("grew_kb") is not None:
            name = str(row.get("name"))
            growth[ANONYMOUS if name in _SIZES else name] += number(row, "grew_kb")  # type: ignore[assignment]
    gained = growth.total()
    if gained < LEAST_KB:
        return ""
    named = [name for name in sorted(growth, key=growth.__getitem__, reverse=True) if growth[name] >= SHARE * gained]
    parts = [f"{size(growth[name])} in {name}" for name in named[:MOST]] or ["spread over many mappings"]
    meaning = MEANING.get(named[0], "") if named else ""
    said = f"Resident memory has grown by {size(gained)} since the baseline: {', '.join(parts)}."
    return f"{said} That is {meaning}." if meaning else said
