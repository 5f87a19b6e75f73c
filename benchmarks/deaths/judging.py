"""What memwatch says: its real services over a scratch database in this very process, as often as beat calls them."""

from __future__ import annotations

import dataclasses
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.deaths.serving import COMMAND_KEY, SERVICE
from memwatch.transport import Hub, TransportUnavailable

NOT_YET = ("", "stale")
"""Reasons that are no reasons: the process lives, or was not heard of."""
_SAME_START_S = 1.0


@dataclasses.dataclass(kw_only=True, slots=True)
class Told:
    """A process as its row says it."""

    pid: int
    started_at: float
    program: str
    outside: bool
    reason: str = ""
    evidence: dict[str, Any] = dataclasses.field(default_factory=dict)
    since: float = 0.0
    """When this reason was first seen in the row, in seconds since 1970."""
    earlier: list[str] = dataclasses.field(default_factory=list)
    """Reasons before this one."""


def make_database(folder: Path, transport: str, interval_s: float) -> None:
    """An empty, migrated database of this process."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": f"sqlite:///{folder}/memwatch.sqlite3",
        "MEMWATCH_VAR": str(folder / "var"),
        "MEMWATCH_TRANSPORT": transport,
        "MEMWATCH_SNAPSHOT_INTERVAL": f"{interval_s:g}",
        "MEMWATCH_COMMAND_KEY": COMMAND_KEY,
        "MEMWATCH_LOOK_BEFORE_LEAK": "off",
        "MEMWATCH_AGENT": "off",
        "LOG_LEVEL": "ERROR",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


class Desk:
    """Takes reports and ends silent processes, each at beat's pace, and reads what came of it."""

    def __init__(self, hub: Hub) -> None:
        from memwatch.schedule import beat_schedule

        self._hub = hub
        self._every = {name.rpartition(".")[2]: entry["schedule"] for name, entry in beat_schedule().items()}
        self._next = {"ingest_reports": 0.0, "end_stale_processes": time.monotonic() + 20}
        self.told: dict[int, Told] = {}

    def work(self) -> None:
        """What is due."""
        from memwatch.services.ingest import processes, reader

        did = False
        if self._is_due("ingest_reports"):
            try:
                reader.ingest_reports(hub=self._hub, now=datetime.now(UTC))
            except TransportUnavailable:
                return
            did = True
        if self._is_due("end_stale_processes"):
            processes.end_stale(datetime.now(UTC), hub=self._hub)
            did = True
        if did:
            self._read()

    def _is_due(self, name: str) -> bool:
        now = time.monotonic()
        if now < self._next[name]:
            return False
        self._next[name] = now + self._every[name]
        return True

    def _read(self) -> None:
        from memwatch.models import Process

        now = time.time()
        for row in Process.objects.filter(service__name=SERVICE).order_by("pk"):
            told = self.told.setdefault(
                row.pk,
                Told(pid=row.pid, started_at=row.started_at.timestamp(), program=row.program, outside=row.outside),
            )
            told.evidence = getattr(row, "end_evidence", None) or {}
            if row.end_reason != told.reason:
                told.earlier += [told.reason] if told.reason else []
                told.reason, told.since = row.end_reason, now

    def of(self, pid: int, began: float) -> Told | None:
        """The row of the process with that pid, as the process itself sees it, and that start."""
        for told in self.told.values():
            if told.pid == pid and not told.outside and abs(told.started_at - began) <= _SAME_START_S:
                return told
        return None

    def alive(self, service: str = SERVICE) -> int:
        """Processes with an agent that are known and have not ended."""
        from memwatch.models import Process

        return Process.objects.alive().filter(service__name=service, outside=False).count()


def leaks() -> list[str]:
    """Types of the leaks that are open once everything was judged."""
    from memwatch.models import Leak
    from memwatch.services.leaks import judging

    judging.detect(datetime.now(UTC))
    return list(Leak.objects.active().values_list("object_type", flat=True))


def rejected() -> list[str]:
    """Why reports were refused: nothing, or the benchmark measures something else."""
    from memwatch.models import RejectedReport

    return list(RejectedReport.objects.values_list("detail", flat=True)[:5])
