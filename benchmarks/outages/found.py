"""What one outage did, and whether that is all right; kept in ``measured.json``, from which the table is made."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from datetime import date
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

from benchmarks.outages.catalogue import OUTAGES, Outage
from benchmarks.outages.latency import LIMIT
from benchmarks.outages.stand import Counts

MEASURED = Path(__file__).parent / "measured.json"
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """The figures of one outage."""

    name: str
    on: str
    """The day."""
    lasted_s: float
    current_s: float
    """After its end, until a snapshot taken after its end was stored."""
    settled_s: float
    """After its end, until everything that was ever sent was stored."""
    taken: int
    lost: int
    twice: int
    again: int
    dropped: int
    uncounted: int
    """Snapshots and refused reports that the figures on the pages do not tell."""
    set_aside: int
    host_taken: int
    host_lost: int
    requests: int
    """To both hosts, from its begin until all was stored."""
    p99_change: float
    p99_low: float
    p99_high: float

    @classmethod
    def between(cls, before: Counts, after: Counts, **measured: Any) -> Found:
        """Of what was counted before and after."""

        def grown(name: str) -> int:
            return int(getattr(after, name) - getattr(before, name))

        return cls(
            taken=grown("taken"),
            lost=grown("lost"),
            twice=after.twice,
            again=grown("again"),
            dropped=grown("dropped"),
            uncounted=(
                abs(after.counted - after.stored)
                + abs(after.dropped_shown - after.dropped)
                + abs(after.set_aside - after.poisoned)
            ),
            set_aside=grown("set_aside"),
            host_taken=grown("host_taken"),
            host_lost=after.host_taken - after.host_stored,
            on=date.today().isoformat(),  # noqa: DTZ011 - the reader's day
            **measured,
        )

    @property
    def faults(self) -> list[str]:
        """What should not be."""
        wrong = []
        for name, text in (
            ("lost", "snapshots of the simulated agents lost"),
            ("host_lost", "snapshots of the watched host lost"),
            ("twice", "snapshots stored twice"),
            ("uncounted", "snapshots or reports not told by the counters"),
        ):
            if getattr(self, name) > 0:
                wrong.append(f"{getattr(self, name)} {text}")
        if self.p99_low > LIMIT:
            wrong.append(f"requests to the watched host slower: {self.p99_change:.2f} ({self.p99_low:.2f} at least)")
        return wrong

    def line(self, outage: Outage) -> str:
        """A row of the table."""
        p99 = f"{self.p99_change:.2f} ({self.p99_low:.2f} to {self.p99_high:.2f})"
        kept = f"{self.dropped:,}" + (f"; {self.set_aside:,} set aside" if self.set_aside else "")
        return (
            f"| {outage.name} | {outage.how} | {self.lasted_s:.0f} s | {self.current_s:.0f} s / {self.settled_s:.0f} s "
            f"| {self.taken + self.host_taken:,} | {self.lost + self.host_lost} | {self.twice} | {self.again:,} "
            f"| {kept} | {p99} |"
        )


HEAD = """| outage | how | lasted | current / whole after | taken | lost | twice | again | not kept | p99 |
|---|---|---|---|---|---|---|---|---|---|"""


def known() -> dict[str, Found]:
    """What was measured so far, by the outage's name."""
    if not MEASURED.exists():
        return {}
    return {name: Found(**values) for name, values in json.loads(MEASURED.read_text()).items()}


def remember(found: Found) -> None:
    """In place of what was measured of it before."""
    everything = {**known(), found.name: found}
    kept = {o.name: dataclasses.asdict(everything[o.name]) for o in OUTAGES if o.name in everything}
    MEASURED.write_text(json.dumps(kept, indent=1) + "\n")


def table() -> str:
    """All that was measured, in the catalogue's order."""
    found = known()
    return "\n".join([HEAD, *(found[outage.name].line(outage) for outage in OUTAGES if outage.name in found)])


def together(found: Collection[Found]) -> tuple[float, float, float]:
    """The changes of all, each with the weight that its precision gives it, and where that lies (95 %)."""
    weighed = [(1 / (log(one.p99_high / one.p99_low) / 3.92) ** 2, log(one.p99_change)) for one in found]
    weight = sum(weight for weight, _change in weighed)
    middle, error = sum(weight * change for weight, change in weighed) / weight, 1.96 / sqrt(weight)
    return exp(middle), exp(middle - error), exp(middle + error)


def summary() -> str:
    """All that was measured, in a sentence."""
    found = known().values()
    change, low, high = together(found)
    lost = sum(max(0, one.lost) + one.host_lost for one in found)
    return (
        f"{len(found)} outages, {sum(one.taken + one.host_taken for one in found):,} snapshots, {lost} lost, "
        f"{sum(one.twice for one in found)} stored twice; {sum(one.requests for one in found):,} requests, "
        f"p99 of the watched page {change:.3f} ({low:.3f} to {high:.3f}) of what it was in calm."
    )


def write_page() -> None:
    """Put the table between the markers of ``docs/reliability.md``."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    days = sorted({found.on for found in known().values()})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    missing = [outage.name for outage in OUTAGES if outage.name not in known()]
    rest = f"\n\nNot measured yet: {', '.join(missing)}." if missing else ""
    PAGE.write_text(f"{before}{BEGIN}\nMeasured {when}: {summary()}\n\n{table()}{rest}\n{END}{after}")
