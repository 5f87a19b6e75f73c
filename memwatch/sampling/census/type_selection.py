"""Which types a snapshot reports: the most numerous, those that grow most, and those reported before."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat
from operator import sub

MAX_REPORTED = 480
"""The most types one snapshot reports, whatever is asked for: a report's format takes 500."""

WORTH_ALL = 20
"""Growth from which all types that grow alike are reported: a kept request brings sixty with it, one of each."""


class ReportedTypes:
    """Chooses the types of ``top_objects`` from each census.

    A leaking type is rarely among the most numerous, so the largest growers since the baseline are chosen too. A type
    once chosen stays (with 0 when it is gone), so that its series has no holes, until more than ``bound`` have been
    chosen: then those go that have not grown since the baseline, the longest known first.
    """

    def __init__(self, *, top: int, growers: int) -> None:
        self._top = min(top, MAX_REPORTED // 3)
        self._growers = min(growers, MAX_REPORTED // 3)
        self._bound = min(2 * (self._top + self._growers) + 20, MAX_REPORTED)
        self._reported: dict[str, int] = {}
        """Names, each with the number of the census that reported it first."""
        self._censuses = 0
        self._readers: dict[str, int] = {}
        """The last census of each reader."""
        self._baseline: Mapping[str, int] | None = None
        self._latest: Mapping[str, int] | None = None

    @property
    def baseline(self) -> Mapping[str, int] | None:
        """Every count at the baseline; ``None`` before the first census."""
        return self._baseline

    def choose(self, counts: Mapping[str, int], reader: str = "") -> tuple[dict[str, int], dict[str, int] | None]:
        """``(top_objects, backfill)`` of a census. Both mappings are the caller's; ``counts`` must not change later.

        ``backfill`` has the count at the baseline of each type that is new to this reader; ``None``
        when there is none, and with a reader's first census, where its history begins.
        """
        self._censuses += 1
        baseline = counts if self._baseline is None else self._baseline
        self._baseline, self._latest = baseline, counts
        growth = dict(zip(counts, map(sub, counts.values(), map(baseline.get, counts, repeat(0))), strict=True))
        chosen = dict.fromkeys(sorted(counts, key=counts.__getitem__, reverse=True)[: self._top])
        growing = (name for name, grown in growth.items() if grown > 0 and name not in chosen)
        growers = sorted(growing, key=growth.__getitem__, reverse=True)[: 2 * self._growers]
        last = growers[: self._growers][-1:]
        alike = max([WORTH_ALL, *map(growth.__getitem__, last)])
        for number, name in enumerate(growers):
            if number < self._growers or growth[name] >= alike:
                chosen[name] = None
        self._reported = dict.fromkeys(chosen, self._censuses) | self._reported
        self._let_go(chosen, growth)
        seen = self._readers.get(reader, self._censuses)
        self._readers[reader] = self._censuses
        new = [name for name, since in self._reported.items() if since > seen]
        figures = {name: counts.get(name, 0) for name in self._reported}
        top_objects = dict(sorted(figures.items(), key=lambda item: -item[1]))
        return top_objects, {name: baseline.get(name, 0) for name in new} if new else None

    def _let_go(self, chosen: Mapping[str, None], growth: Mapping[str, int]) -> None:
        surplus = len(self._reported) - self._bound
        if surplus <= 0:
            return
        candidates = [name for name in self._reported if name not in chosen]
        candidates.sort(key=lambda name: growth.get(name, 0) > 0)
        for name in candidates[:surplus]:
            del self._reported[name]

    def reset_baseline(self) -> None:
        """Count growth from the latest census on; without one, from the next."""
        self._baseline = self._latest

    def own_blocks(self) -> int:
        """Whole numbers kept that are not shared by the interpreter, each a block of memory."""
        blocks = 0
        for counts in {id(kept): kept for kept in (self._baseline, self._latest) if kept is not None}.values():
            blocks += sum(map((256).__lt__, counts.values()))
        return blocks
