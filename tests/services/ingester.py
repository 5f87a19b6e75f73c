"""A worker of its own for the crash and concurrency tests: ``python -m tests.services.ingester <what>``.

The database, the transport and the settings come from the environment. ``ingest`` prints its result.
``die-before-commit`` and ``die-before-acknowledge`` end by SIGKILL at that very point.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")


def _die(*_args: Any, **_kwargs: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _counts() -> dict[str, Any]:
    from django.db.models import F

    from memwatch.models import Baseline, Process, RejectedReport, Snapshot
    from memwatch.queries import counters

    slots = Process.objects.order_by("slot_number").values_list("slot_number", flat=True)
    return {
        "stored": Snapshot.objects.count(),
        "counted": counters.total(counters.SNAPSHOTS),
        "dropped": counters.total(counters.DROPPED),
        "baselines": Baseline.objects.count(),
        "rejected": RejectedReport.objects.count(),
        "slots": list(slots),
        "behind": Process.objects.exclude(last_snapshot__seq=F("last_seq")).count(),
    }


def main(arguments: Sequence[str]) -> None:
    """Do what the first argument says."""
    django.setup()
    from django.core.management import call_command

    from memwatch.conf import get_settings
    from memwatch.services import automatic, ingest
    from memwatch.transport.local import LEASE_S, LocalHub

    (what,) = arguments
    if what == "migrate":
        call_command("migrate", verbosity=0)
    elif what == "counts":
        sys.stdout.write(json.dumps(_counts()))
    else:
        heir = what == "ingest-after-crash"  # what the dead had claimed comes back at once, not after a minute
        hub = LocalHub(get_settings().transport_url, lease_s=0.0 if heir else LEASE_S)
        if what == "die-before-commit":
            automatic.keep_up = _die
        elif what == "die-before-acknowledge":
            hub.acknowledge = _die  # type: ignore[method-assign]
        result = ingest.ingest_reports(hub=hub, limit=10_000)
        hub.close()
        sys.stdout.write(json.dumps({"snapshots": result.snapshots, "duplicates": result.duplicates}))


if __name__ == "__main__":
    main(sys.argv[1:])
