"""A reading of a fleet in which every figure is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from memwatch.exposition import families
from memwatch.exposition.processes import OWN_FIGURES, REFERENCE_FIGURES
from memwatch.metrics.otlp.points import Reading
from memwatch.observation import FLEET, Observation, Observed
from memwatch.records import MemorySnapshot

TYPES = 20
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def reading(processes: int) -> Reading:
    """Of so many processes, with the same types in each."""
    known = [*REFERENCE_FIGURES, *(attribute for _name, attribute, _factor, _text in OWN_FIGURES)]
    figures = MemorySnapshot(
        timestamp=NOW,
        top_objects={f"shop.models.Type{number}": 1000 + number for number in range(TYPES)},
        **dict.fromkeys(known, 5),  # type: ignore[arg-type]
    )
    seen = Observation(
        source=FLEET,
        at=NOW,
        processes=[
            Observed(
                labels={"service": f"web{number % 7}", "host": f"node-{number // 8}", "slot": f"web-{number}"},
                started_at=NOW - timedelta(hours=3),
                figures=figures,
                release="2.4",
                python="3.11.7",
                drift_percent=12.5,
                leaks={"high": 1},
                pid=number,
                instance=f"node-{number // 8}:{number}:1.000:n",
                resource={"service.namespace": "acme", "deployment.environment.name": "production"},
            )
            for number in range(processes)
        ],
    )
    return Reading(families=families(seen), observation=seen, at=NOW, since=NOW - timedelta(days=9))
