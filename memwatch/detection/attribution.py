"""What explains memory outside tracked objects. A process has at most one untracked leak, else one native leak."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from statistics import median

from memwatch.detection.case import Case
from memwatch.detection.containers import gains, growing_container
from memwatch.detection.sentence import amount, duration
from memwatch.detection.series import SOMETIMES_UNTRACKED, holds_untracked
from memwatch.detection.statistics.estimators import correlation
from memwatch.detection.verdict import Verdict, describe

IN_STEP = 0.95
"""Correlation of levels from which two series are one movement."""

MIN_STEPS, SAME_STEPS = 8, 0.9


@dataclass(frozen=True, slots=True)
class Judged:
    """A series' case and its verdict before grouping."""

    case: Case
    verdict: Verdict


def correlation_of(a: Case, b: Case) -> float:
    """Pearson's r of their levels at common times."""
    x, y = _common(a, b)
    return correlation(x, y) if len(x) > 2 else 0.0


def same_steps(a: Case, b: Case) -> bool:
    """Whether both grow by the same number from point to point."""
    x, y = _common(a, b)
    steps = [(q - p, s - r) for p, q, r, s in zip(x, x[1:], y, y[1:], strict=False)]
    return len(steps) >= 4 and sum(abs(u - v) <= 1 for u, v in steps) >= SAME_STEPS * len(steps)


def holds_several(holder: Case, held: Case) -> bool:
    """Whether each step of ``held`` is the same multiple (over 1) of the holder's step, while steps differ in size.

    Equal steps prove nothing: two leaks under one steady load have them. Nor does one to one: a request may leak two
    objects.
    """
    x, y = _common(holder, held)
    steps = [(b - a, d - c) for a, b, c, d in zip(x, x[1:], y, y[1:], strict=False) if b != a or d != c]
    if len(steps) < MIN_STEPS or len({step for step, _ in steps}) < 3:
        return False
    ratio = median(d / b if b else 0.0 for b, d in steps)
    if ratio < 1.5:
        return False
    same = sum(abs(d - ratio * b) <= 0.5 for b, d in steps)
    return same >= SAME_STEPS * len(steps)


def _common(a: Case, b: Case) -> tuple[list[float], list[float]]:
    other = dict(zip(b.times, b.values, strict=True))
    pairs = [(value, other[time]) for time, value in zip(a.times, a.values, strict=True) if time in other]
    return [x for x, _ in pairs], [y for _, y in pairs]


BLOCKS_PER_OBJECT = 50
KIB_PER_OBJECT = 256
"""Untracked blocks and memory that one leaked object may hold: fields, strings, a rendered page, a small image."""

ACCOUNTED = 0.3
"""Share of malloc's growth that a container's entries must have to account for it: sizes come from a sample."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory series that were judged leaks, by their explanation."""

    leaks: list[Verdict]
    """At most one untracked, else at most one native."""
    explained: list[Verdict]
    """Explained by leaking objects."""
    waiting: list[Verdict]
    """Waiting for objects or a container that may explain them and have no verdict yet."""


def attribute(
    leaks: Sequence[Judged], leaders: Sequence[Judged], names: Collection[str], undecided: Sequence[Judged]
) -> Memory:
    """Sort the memory leaks into leaks of their own and those that leaking objects explain.

    ``names``: all leaking types, followers included. ``undecided``: growing series without a verdict yet.
    """
    objects = sum(leader.verdict.growth_count for leader in leaders)
    coming = sum(item.verdict.growth_count for item in undecided if item.case.series.unit in ("objects", "entries"))
    explained: list[Verdict] = []
    waiting: list[Verdict] = []
    containers: list[Judged] = []
    explained_containers: list[Judged] = []
    residual: list[Judged] = []
    native: list[Judged] = []
    for item in leaks:
        unit, growth = item.case.series.unit, item.verdict.growth_count
        if unit == "entries":
            (explained_containers if _belongs(item, leaders, names) else containers).append(item)
            continue
        per_object = BLOCKS_PER_OBJECT if unit == "blocks" else KIB_PER_OBJECT
        if growth <= objects * per_object:
            explained.append(item.verdict)
        elif growth <= (objects + coming) * per_object:
            waiting.append(item.verdict)
        else:
            (residual if unit == "blocks" else native).append(item)
    explained.extend(item.verdict for item in explained_containers)
    native.sort(key=lambda item: -item.verdict.growth_count)
    untracked = _untracked(containers, residual) or [found for item in native[:1] if (found := _large_objects(item))]
    if untracked:
        return Memory(untracked, explained, [])
    return Memory([item.verdict for item in native[:1]], explained, waiting)


def _belongs(item: Judged, leaders: Sequence[Judged], names: Collection[str]) -> bool:
    """Whether a container holds the leaking objects or their keys."""
    container = item.case.series.container
    if container is None:
        return False
    if container.holds in names:
        return True
    maybe = container.type in ("dict", "set") or container.holds in SOMETIMES_UNTRACKED
    return maybe and any(same_steps(item.case, leader.case) for leader in leaders)


def _large_objects(item: Judged) -> Verdict | None:
    """The verdict as ``untracked`` where a container accounts for malloc's growth: it holds objects over 512 bytes."""
    verdict, history = item.verdict, item.case.history
    if item.case.series.source != "malloc_used_mb":
        return None
    for gained, container in sorted(gains(history), key=lambda found: -found[0]):
        held = container.length * (container.entry_bytes or 0)
        if holds_untracked(container) and held >= ACCOUNTED * verdict.growth_count * 1024:
            text = f"Memory in objects that the garbage collector does not track grows by at least {gained:,} entries "
            return replace(
                verdict,
                kind="untracked",
                object_type="untracked",
                container=container,
                candidates=(),
                sentence=f"{text}in {describe(container)}: {amount(verdict.growth_count, 'KiB')} in "
                f"{duration(item.case.span_s)}",
            )
    return None


def _untracked(containers: list[Judged], residual: list[Judged]) -> list[Verdict]:
    if containers:
        containers.sort(key=lambda item: -_bytes(item))
        first, rest = containers[0].verdict, [item.verdict for item in containers[1:]]
        others = tuple(describe(verdict.container) for verdict in rest if verdict.container is not None)
        return [replace(first, grows_with=others)]
    if not residual:
        return []
    verdict = residual[0].verdict
    container = growing_container(residual[0].case.history, ACCOUNTED * verdict.growth_count)
    if container is None:
        return [verdict]
    return [replace(verdict, container=container, sentence=f"{verdict.sentence}; most likely in {describe(container)}")]


def _bytes(item: Judged) -> float:
    container = item.case.series.container
    return item.verdict.growth_count * (8 + ((container.entry_bytes or 0) if container is not None else 0))
