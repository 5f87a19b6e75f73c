"""A worker of its own for the crash and concurrency tests: ``python -m tests.services.ingester <what>``.

The database, the transport and the settings come from the environment. ``ingest`` prints its result, and
``ingest-after-crash`` also the counts before and after it: each start takes a second of CPU.
``die-before-commit`` and ``die-before-acknowledge`` end by SIGKILL at that very point. ``loop`` runs the task again and
again, as a worker does at beat's times, until SIGTERM; what a dead worker held comes back after three seconds there.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")


def _die(*_args: Any, **_kwargs: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _counts() -> dict[str, Any]:
    from django.db.models import F

    from memwatch.models import Baseline, Process, RejectedReport, Snapshot
    from memwatch.queries.deployment import counters

    slots = Process.objects.order_by("slot_number").values_list("slot_number", flat=True)
    return {
        "stored": Snapshot.objects.count(),
        "counted": counters.total(counters.SNAPSHOTS),
        "dropped": counters.total(counters.DROPPED),
        "baselines": Baseline.objects.count(),
        "rejected": RejectedReport.objects.count(),
        "slots": list(slots),
        "excerpts": RejectedReport.objects.values("excerpt").distinct().count(),
        "behind": Process.objects.exclude(last_snapshot__seq=F("last_seq")).count(),
    }


def _loop() -> None:
    from django.db import close_old_connections

    from memwatch.timetable import steps
    from memwatch.transport.redis.hub import RedisHub

    RedisHub.__init__.__kwdefaults__["lease_s"] = 3.0  # type: ignore[index]
    steps._INGEST_TTL_S = 3.0
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
    while not stopping:
        with contextlib.suppress(Exception):  # logged by the step; Celery goes on as well
            steps.ingest_reports()
        close_old_connections()
        time.sleep(0.1)


def main(arguments: Sequence[str]) -> None:
    """Do what the first argument says."""
    django.setup()
    from django.core.management import call_command

    from memwatch.conf import get_settings
    from memwatch.services.ingest import automatic_baselines, reader
    from memwatch.transport.local import LEASE_S, LocalHub
    from memwatch.transport.redis.hub import RedisHub

    (what,) = arguments
    if what == "migrate":
        call_command("migrate", verbosity=0)
    elif what == "counts":
        sys.stdout.write(json.dumps(_counts()))
    elif what == "loop":
        _loop()
    else:
        heir = what == "ingest-after-crash"  # what the dead had claimed comes back at once, not after a minute
        url, lease_s = get_settings().transport_url, 0.0 if heir else LEASE_S
        hub: Any = LocalHub(url, lease_s=lease_s) if url.startswith("local") else RedisHub(url, lease_s=lease_s)
        if what == "die-before-commit":
            automatic_baselines.keep_up = _die
        elif what == "die-before-acknowledge":
            hub.acknowledge = _die
        found: dict[str, Any] = {"before": _counts()} if heir else {}
        result = reader.ingest_reports(hub=hub, limit=10_000)
        hub.close()
        found |= {"snapshots": result.snapshots, "duplicates": result.duplicates}
        sys.stdout.write(json.dumps(found | ({"after": _counts()} if heir else {})))


if __name__ == "__main__":
    main(sys.argv[1:])
