"""What the garbage collector takes, estimated from what snapshots hold: no process times its collections.

To time them, something would have to run in the program's threads amid a collection, where the exception of a signal
(a task's time limit, say) would be lost.
"""

from __future__ import annotations

from collections.abc import Sequence

FULL_NS, YOUNG_NS = 60.0, 20.0
"""For an object that a collection looks at: 30 to 110 where it looks at all, by the machine and what objects refer to;
those of the last moments are still in the processor's cache."""
THRESHOLDS = (700, 10)
"""Of the interpreter, where a process does not tell its own."""


def seconds(collections: Sequence[int], objects: float, thresholds: Sequence[int] | None = None) -> float:
    """Of so many collections, by generation.

    ``objects``: tracked ones, at which a full collection looks; a younger one looks at those that the thresholds let
    gather before it.
    """
    young, middle = tuple(thresholds or THRESHOLDS)[:2]
    recent = collections[0] * young + collections[1] * young * middle
    return (recent * YOUNG_NS + collections[2] * objects * FULL_NS) / 1e9
