"""Whether every job keeps as much, whatever its name: then what runs around jobs leaks, and no name is the cause.

The calls of all names together are one column. It takes the place of names if it explains the growth clearly better
for what it costs (extended BIC), and if hardly any name keeps more or less than it says. If it explains the growth
about as well, the names may be chance: what is written down some time after the calls, say, goes a little better
with some of them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from memwatch.detection.work.search import ALIKE, Search
from memwatch.detection.work.steps import Step, added_up, called

LEAST_NAMES = 4
"""With fewer, each of them may as well be named."""
NEARLY = 8
"""One of so many names may differ from the others."""
CLEARLY = 12.0
"""Twice the difference of log-likelihoods, beyond what the columns cost, from which on no name is the cause."""
DIFFERS = 0.25
"""Share of the common figure by which a name must differ from it, beside all chance."""
KEEPS_NONE = 0.5
"""The same for a name that what runs around the others leaves out."""


@dataclass(frozen=True, slots=True)
class Everyone:
    """Works that keep as much a call, and the search that has found it."""

    kinds: tuple[str, ...]
    """Of the works."""
    but: tuple[int, ...]
    """Works of the same kinds that keep nothing."""
    search: Search
    chosen: list[int]


@dataclass(frozen=True, slots=True)
class Trial:
    """An explanation by what all works of a group keep."""

    works: frozenset[int]
    but: tuple[int, ...]
    """Those of them that seem to be left out."""
    columns: list[int]
    """Chosen beside it."""
    cost: float
    alone: float
    """The cost where no name is chosen beside it."""


def trials(search: Search, chosen: list[int], kinds: Mapping[int, str]) -> list[Trial]:
    """Of all groups that something may run around, each beside what a search has ``chosen``.

    ``kinds``: of works; a middleware sees requests only, so that the works of one kind may be alike.
    """
    found = []
    for works, but in _groups(search, kinds):
        column = search.add(added_up(search.steps, works.difference(but)))
        beside = _beside(search, column, chosen)
        alone = search.cost([column, *(other for other in chosen if other not in search.names)])
        cost = search.cost(beside) if column in beside else math.inf
        found.append(Trial(works, but, beside, cost, alone))
    return found


def unproven(search: Search, chosen: list[int], tried: Iterable[Trial]) -> frozenset[int]:
    """The ``chosen`` names that explain nothing that all works together do not explain about as well."""
    most = search.cost(chosen) + ALIKE
    names = frozenset(search.names).intersection(chosen)
    found: set[int] = set()
    for trial in tried:
        if trial.alone <= most:
            found |= names
        elif trial.cost <= most and few_differ(len(names.intersection(trial.columns)), len(trial.works)):
            found |= names.difference(trial.columns)
    return frozenset(found)


def everyone(
    runs: Sequence[Sequence[Step]],
    search: Search,
    chosen: list[int],
    kinds: Mapping[int, str],
    tried: Iterable[Trial],
) -> Everyone | None:
    """Works that keep as much, where that says more than what a search has ``chosen``."""
    least = search.cost(chosen) - CLEARLY
    best = min(tried, key=lambda trial: trial.cost, default=None)
    if best is None or best.cost >= least:
        return None
    works = best.works.difference(best.but)
    again = Search(runs, works)
    found = again.chosen()
    if again.everyone not in found or not _are_alike(again, found, works, len(best.but)):
        return None
    return Everyone(kinds_of(works, kinds), best.but, again, found)


def kinds_of(works: Iterable[int], kinds: Mapping[int, str]) -> tuple[str, ...]:
    """In their order; an empty text where one is not known."""
    return tuple(sorted({kinds.get(work, "") for work in works}))


def few_differ(differing: int, names: int) -> bool:
    """Whether nearly all of so many names are alike."""
    return names - differing >= LEAST_NAMES and differing <= max(1, names // NEARLY)


def _groups(search: Search, kinds: Mapping[int, str]) -> Iterator[tuple[frozenset[int], tuple[int, ...]]]:
    """Works that something may run around, and those of them that it seems to leave out."""
    everything = called(search.steps)
    by_kind = {kind: frozenset(w for w in everything if kinds.get(w) == kind) for kind in set(kinds.values())}
    for works in {everything, *by_kind.values()}:
        if len(works) >= LEAST_NAMES:
            yield works, ()
            if but := _left_out(search, works):
                yield works, but


def _beside(search: Search, column: int, chosen: Sequence[int]) -> list[int]:
    """The column, with those of the ``chosen`` that still explain something."""
    trial = [column]
    fit = search.fit(trial)
    while True:
        gains = search.regression.gains(fit, [name for name in chosen if name not in trial])
        best = max(gains, key=gains.__getitem__, default=None)
        if best is None or not search.is_gain(fit, gains[best]):
            return search.needed(trial)
        trial.append(best)
        fit = search.fit(trial)


def _left_out(search: Search, works: frozenset[int]) -> tuple[int, ...]:
    out: list[int] = []
    for _ in range(len(works) // NEARLY):
        column = search.add(added_up(search.steps, works.difference(out)))
        fit = search.fit([column])
        less = {}
        for name, work in search.names.items():
            if work in works and work not in out:
                coefficient, gain = search.regression.joining(fit, name)
                if coefficient < -KEEPS_NONE * fit.of(column) < 0 and search.is_gain(fit, gain):
                    less[work] = gain
        if not less:
            break
        out.append(max(less, key=less.__getitem__))
    return tuple(sorted(out))


def _are_alike(search: Search, chosen: Sequence[int], works: Collection[int], left_out: int) -> bool:
    """Whether nearly no name keeps more or less than the others."""
    column = search.everyone
    fit = search.fit(chosen)
    common = 0.0 if column is None else fit.of(column)
    differing = left_out
    for name, work in search.names.items():
        if work in works:
            coefficient, gain = (common, 0.0) if name in chosen else search.regression.joining(fit, name)
            is_sure = name in chosen or search.is_gain(fit, gain)
            differing += is_sure and abs(coefficient) > DIFFERS * common
    return common > 0 and few_differ(differing, len(works) + left_out)
