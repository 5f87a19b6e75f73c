"""Snapshots that a caller hands over, made comparable with those of a standing watch.

Two things differ. A caller of ``detect_leaks`` often keeps the snapshots in the process that they describe, so that its
memory grows with each of them. And a program that takes a snapshot every few jobs is paced by its work, not by the
clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from statistics import median

from memwatch.detection.history import History
from memwatch.records import KIB_PER_MB

KIB_FIXED, KIB_PER_TYPE = 2.0, 0.06
"""What a snapshot takes of malloc: the dict of its fields (2,272 bytes for ``to_dict()``), and 24 bytes and an index
of up to eight for an entry of its counts, in a table at least a third full at worst."""

KEPT_OBJECTS = {"tuple": 3, "list": 3, "dict": 2}
"""gc-tracked objects of built-in types in a snapshot or its dict: pairs of figures, containers, dicts themselves."""

MANY_SNAPSHOTS = 16
"""Fewer snapshots hold few objects beside the contract's threshold of 100."""

TIMER_S = 5.0
"""Snapshots closer than this come from a program between its own steps, or from so even a timer that order is time."""

REGULAR_SHARE, REGULAR_WITHIN = 0.75, 0.25
"""A timer with holes and delays still keeps three steps of four within a quarter of its interval."""


def made_comparable(history: History) -> History:
    """The history without the memory of the snapshots themselves, and with even times where work sets the pace."""
    return _evenly_paced(_less_snapshots(history))


def _less_snapshots(history: History) -> History:
    """Each point minus the memory of the snapshots before it, where the caller keeps them as objects."""
    if not history.own_blocks:
        return history
    before = range(len(history))
    blocks = [0, *accumulate(history.own_blocks)]
    types = KIB_FIXED + KIB_PER_TYPE * len(history.counts)
    figures = dict(history.figures)
    for name, taken in (
        ("allocated_blocks", blocks),
        ("malloc_used_mb", [i * types / KIB_PER_MB for i in before]),
        ("heap_used_mb", [i * types / KIB_PER_MB for i in before]),
    ):
        if name in figures:
            figures[name] = [
                None if value is None else value - own for value, own in zip(figures[name], taken, strict=False)
            ]
    return replace(history, figures=figures, kept_each=KEPT_OBJECTS if len(history) >= MANY_SNAPSHOTS else {})


def _evenly_paced(history: History) -> History:
    times = history.times
    if len(times) < 3 or not _by_order(times):
        return history
    step = (times[-1] - times[0]) / (len(times) - 1)
    return replace(history, times=tuple(times[0] + i * step for i in range(len(times))))


def _by_order(times: Sequence[float]) -> bool:
    """Whether to use the order of the snapshots and not the clock, by which a slow moment would look like a pause."""
    steps = [b - a for a, b in pairwise(times)]
    if sum(steps) < TIMER_S * len(steps):
        return True
    usual = median(steps)
    return sum(abs(step - usual) <= REGULAR_WITHIN * usual for step in steps) < REGULAR_SHARE * len(steps)
