"""What a worker does at beat's times: ``python -m benchmarks.fleet.worker SECONDS TASK…``, a line of JSON a run.

With ``drain`` in place of a number of seconds: ingests until nothing is left, at once.
"""

from __future__ import annotations

import heapq
import json
import sys
import time
from typing import Any


def main(arguments: list[str]) -> None:
    """Run the tasks, or drain."""
    import django

    django.setup()
    how_long, *names = arguments
    if how_long == "drain":
        _drain()
    else:
        _keep_time(float(how_long), names)


def _keep_time(seconds: float, names: list[str]) -> None:
    from memwatch import tasks
    from memwatch.schedule import beat_schedule

    every = {name: float(beat_schedule()[f"memwatch.{name}"]["schedule"]) for name in names}
    until = time.monotonic() + seconds
    due = [(time.monotonic() + min(interval, 5.0), name) for name, interval in every.items()]
    heapq.heapify(due)
    while due[0][0] < until:
        at, name = heapq.heappop(due)
        time.sleep(max(0.0, at - time.monotonic()))
        _timed(name, getattr(tasks, name))
        heapq.heappush(due, (max(at + every[name], time.monotonic()), name))


def _timed(name: str, task: Any) -> None:
    from memwatch.models import Snapshot

    last = Snapshot.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    began, started, cpu = time.time(), time.monotonic(), time.process_time()
    task()
    seconds, cpu = time.monotonic() - started, time.process_time() - cpu
    finished = time.time()
    lags: list[float] = []
    if name in ("ingest_reports", "take_snapshots"):
        taken = Snapshot.objects.filter(pk__gt=last).values_list("timestamp", flat=True)
        lags = [round(finished - moment.timestamp(), 2) for moment in taken]
    print(json.dumps({"task": name, "began": began, "seconds": seconds, "cpu": cpu, "lags": lags}), flush=True)


def _drain() -> None:
    from memwatch.conf import get_settings
    from memwatch.services.ingest.reader import IngestResult, ingest_reports
    from memwatch.transport import open_hub

    hub = open_hub(get_settings().transport_url)
    started, cpu = time.monotonic(), time.process_time()
    result = IngestResult()
    while part := ingest_reports(hub=hub, limit=5_000):
        if not part.reports:
            break
        result += part
    seconds = time.monotonic() - started
    print(json.dumps({"snapshots": result.snapshots, "seconds": seconds, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main(sys.argv[1:])
