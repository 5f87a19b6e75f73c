"""Two releases as values, and the verdict on each figure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from memwatch.detection.releases.figures import COMPARED, GROWTH, OBJECTS_OF_A_TYPE, Compared
from memwatch.detection.releases.shift import Shift, histogram_p, least_p, shift
from memwatch.records import histogram

MORE, LESS, SAME, UNCLEAR, UNKNOWN = "more", "less", "same", "unclear", "unknown"
VERDICTS = (MORE, LESS, SAME, UNCLEAR, UNKNOWN)
ALPHA = 0.05
LEAST_PROCESSES = 3
"""Of each release; together they must be able to give a p of :data:`ALPHA`: four of each, or three and five."""
LEAST_GROWN_MB = 1.0
"""Over all of its span: a slope of minutes is steep where an allocator took one piece of memory more."""
LEAST_CALLS = 20
"""Of a view, task or command in each release."""
PEAK_LEAST_MB, PEAK_SHARE, PEAK_ALPHA = 8.0, 0.25, 0.01
"""A peak that differs less is the same. Calls are many, and those of one process are alike: p must be smaller."""

Sample = Mapping[str, float]
"""The figures of one process, by the names of :data:`COMPARED`; without those that were not measured."""


Measured = tuple[int, histogram.Counts, float]
"""Calls of a release, the histogram of their peaks in KiB, and the highest one."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """The processes of one release."""

    id: int
    service: str
    name: str
    processes: int = 0
    """That are still known."""
    samples: Sequence[Sample] = ()
    types: Sequence[Mapping[str, float]] = ()
    """Objects by type, of each process that counted them at birth."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One figure in both releases."""

    name: str
    verdict: str
    before: float | None = None
    """Median of the processes."""
    after: float | None = None
    shift: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    superiority: float | None = None
    processes_before: int = 0
    processes_after: int = 0

    @property
    def percent(self) -> float | None:
        return None if self.shift is None or not self.before else self.shift / self.before * 100


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Peak:
    """The peaks of one view, task or command in both releases, in MB above the start of the call."""

    kind: str
    name: str
    verdict: str
    before_mb: float | None
    """95 % of the calls stay below."""
    after_mb: float | None
    p: float | None
    calls_before: int
    calls_after: int


def enough(before: int, after: int) -> bool:
    """Whether so many processes can show a difference."""
    return min(before, after) >= LEAST_PROCESSES and least_p(before, after) <= ALPHA


def missing(before: int, after: int) -> str:
    """What has to be there before more can be said."""
    return f"it needs 4 processes of each release, or 3 and 5, and measured {before} before and {after} after"


def changes(before: Sequence[Sample], after: Sequence[Sample], span_h: float | None = None) -> list[Change]:
    """Each figure of :data:`COMPARED`. ``span_h``: the hours over which growth was measured, where they are known."""
    growth = COMPARED[GROWTH]
    if span_h:
        growth = dataclasses.replace(growth, least=max(growth.least, LEAST_GROWN_MB / span_h))
    return [
        _change(figure.name, growth if figure.name == GROWTH else figure, before, after) for figure in COMPARED.values()
    ]


def type_changes(
    before: Sequence[Mapping[str, float]], after: Sequence[Mapping[str, float]], most: int
) -> list[Change]:
    """The types that changed most. A type that a process does not report is not known there, and not 0."""
    names = {name for sample in (*before, *after) for name in sample}
    found = [_change(name, OBJECTS_OF_A_TYPE, before, after) for name in names]
    return _largest(found, most)


def package_changes(
    before: Sequence[Mapping[str, float]], after: Sequence[Mapping[str, float]], most: int
) -> list[Change]:
    """The same, summed up by the package of the type, over the types that both releases report."""
    both = _types(before) & _types(after)
    found = [
        _change(name, OBJECTS_OF_A_TYPE, _summed(before, both), _summed(after, both))
        for name in {package_of(each) for each in both}
    ]
    return _largest(found, most)


def package_of(type_name: str) -> str:
    """The package that defines a type; ``builtins`` for a bare name."""
    package, dot, _rest = type_name.partition(".")
    return package if dot else "builtins"


def peak(kind: str, name: str, before: Measured, after: Measured) -> Peak:
    """Of one view, task or command."""
    (calls_before, counts_before, most_before), (calls_after, counts_after, most_after) = before, after
    low, high = (
        None if found is None else found / 1024
        for found in (
            histogram.quantile(counts_before, 0.95, most_before),
            histogram.quantile(counts_after, 0.95, most_after),
        )
    )
    verdict, p = UNKNOWN, None
    if low is not None and high is not None and min(calls_before, calls_after) >= LEAST_CALLS:
        p = histogram_p(counts_before, counts_after)
        if abs(high - low) < max(PEAK_LEAST_MB, PEAK_SHARE * low):
            verdict = SAME
        else:
            verdict = (MORE if high > low else LESS) if p <= PEAK_ALPHA else UNCLEAR
    return Peak(
        kind=kind, name=name, verdict=verdict, before_mb=low, after_mb=high, p=p, calls_before=calls_before,
        calls_after=calls_after,
    )  # fmt: skip


def _change(name: str, figure: Compared, before: Sequence[Sample], after: Sequence[Sample]) -> Change:
    low = [sample[name] for sample in before if name in sample]
    high = [sample[name] for sample in after if name in sample]
    known = Change(
        name=name,
        verdict=UNKNOWN,
        before=median(low) if low else None,
        after=median(high) if high else None,
        processes_before=len(low),
        processes_after=len(high),
    )
    if not low or not high:
        return known
    found = shift(low, high)
    return dataclasses.replace(
        known,
        verdict=_verdict(figure, known.before or 0.0, found) if enough(len(low), len(high)) else UNKNOWN,
        **dataclasses.asdict(found),
    )


def _verdict(figure: Compared, before: float, found: Shift) -> str:
    if figure.counts(found.shift, before):
        return (MORE if found.shift > 0 else LESS) if found.p <= ALPHA else UNCLEAR
    ends = [end for end in (found.low, found.high) if end is not None]
    return UNCLEAR if any(figure.counts(end, before) for end in ends) else SAME


def _largest(found: Iterable[Change], most: int) -> list[Change]:
    moved = [each for each in found if each.shift]
    return sorted(moved, key=lambda each: (-abs(each.shift or 0.0), each.name))[:most]


def _types(samples: Sequence[Mapping[str, float]]) -> set[str]:
    """Those that every process reports."""
    return set.intersection(*(set(sample) for sample in samples)) if samples else set()


def _summed(samples: Sequence[Mapping[str, float]], names: set[str]) -> list[dict[str, float]]:
    sums: list[dict[str, float]] = []
    for sample in samples:
        total: dict[str, float] = {}
        for name in names:
            package = package_of(name)
            total[package] = total.get(package, 0.0) + sample[name]
        sums.append(total)
    return sums
