"""What memwatch gives on this Python, as JSON: a part of each row of the matrix' table."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

from memwatch.records import FIGURES
from memwatch.sampling import Sampler
from memwatch.sampling.atomic import possible
from memwatch.sampling.walk import census_method

ELSEWHERE = ("backfill", "cgroup_limit_mb", "cgroup_used_mb", "rss_seconds", "work")
"""Figures that depend on what a process does and where it runs, not on its Python."""


def main() -> int:
    sampler = Sampler(heap_limit_mb=512, requests_handled=lambda: 0, tasks_handled=lambda: 0)
    snapshots = [sampler.sample(census=True) for _ in range(2)]
    null = [name for name in FIGURES if all(getattr(snapshot, name) is None for snapshot in snapshots)]
    support = {
        "django": version("django"),
        "celery": version("celery"),
        "census": census_method(),
        "recordings": possible(),
        "null": sorted(set(null).difference(ELSEWHERE)),
    }
    sys.stdout.write(json.dumps(support) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
