"""What dismissing an anomaly teaches: the same again is not said, much more of it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import timedelta

MUCH_MORE = 1.5
"""Times what was dismissed."""
LASTS = timedelta(days=180)
"""How long a dismissal counts."""


@dataclasses.dataclass(frozen=True, slots=True)
class Lesson:
    """An anomaly that an operator has dismissed."""

    service_id: int
    kind: str
    ratios: Mapping[str, float]
    """How unlike each figure was."""


def is_known(service_id: int, kind: str, ratios: Mapping[str, float], lessons: Iterable[Lesson]) -> bool:
    """Whether every figure was dismissed in this service before, at nearly this size."""
    known: dict[str, float] = {}
    for lesson in lessons:
        if (lesson.service_id, lesson.kind) == (service_id, kind):
            for name, ratio in lesson.ratios.items():
                known[name] = max(ratio, known.get(name, 0.0))
    return bool(ratios) and all(name in known and ratio <= MUCH_MORE * known[name] for name, ratio in ratios.items())
