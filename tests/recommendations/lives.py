"""Services in a few words, for the tests of the numbers."""

from __future__ import annotations

import random
from typing import Any

from memwatch.recommendations.facts import Life, Peaks, Point, Service

SMALL_PEAKS = Peaks(calls=10_000, typical_mb=1.0, highest_mb=10.0)


def life(
    number: int = 0,
    *,
    base_mb: float = 100.0,
    kib_per_job: float = 50.0,
    mb_per_hour: float = 0.0,
    jobs: int = 1000,
    hours: float = 2.0,
    points: int = 60,
    warm_mb: float = 0.0,
    shared_mb: float | None = None,
    noise_mb: float = 0.2,
    **values: Any,
) -> Life:
    """One that grows by its jobs or by the hour, with a little noise."""
    chance, seen = random.Random(number), []
    for place in range(points):
        share = (place + 1) / points
        rss = base_mb + warm_mb * min(1.0, 5 * share) + kib_per_job / 1024 * jobs * share + mb_per_hour * hours * share
        rss += chance.gauss(0, noise_mb)
        private = None if shared_mb is None or place % 5 else rss - shared_mb
        seen.append(Point(3600 * hours * share, jobs * share, rss, private))
    return Life(started_s=1e9 + 36_000 * number, lifetime_s=3600 * hours, points=tuple(seen), **values)


def service(lives: int = 10, *, spread: float = 0.05, parts: dict[str, Any] | None = None, **of_lives: Any) -> Service:
    """Two workers of gunicorn in a container of 1,000 MB; growth differs from life to life by ``spread``."""
    kib = of_lives.pop("kib_per_job", 50.0)
    made = [life(number, kib_per_job=kib * (1 + spread * (number % 3 - 1)), **of_lives) for number in range(lives)]
    known: dict[str, Any] = {
        "name": "web", "server": "gunicorn", "lives": tuple(made), "workers": 2, "limit_mb": 1000.0,
        "peaks": SMALL_PEAKS, **(parts or {}),
    }  # fmt: skip
    return Service(**known)
