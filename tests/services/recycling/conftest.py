"""A service with workers, a policy, and a hub that keeps what is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from memwatch.conf import get_settings
from memwatch.models import Command, Process, Recording, RecyclingPolicy, Service
from memwatch.services.recycling import checking
from memwatch.transport import wire
from tests.services.stored import NOON, end_process, store_process, store_snapshots

MINUTE = timedelta(minutes=1)


class KeepingHub:
    """Keeps the commands that are sent; nobody answers."""

    def __init__(self) -> None:
        self.sent: list[wire.Command] = []

    def notify(self, payloads: Mapping[str, bytes]) -> None:
        key = get_settings().command_key
        self.sent += [wire.Command.decode(payload, key, now=datetime.now(UTC)) for payload in payloads.values()]

    @property
    def orders(self) -> list[wire.Command]:
        return [command for command in self.sent if command.name == "recycle"]


class Deployment:
    """One service whose clock the test moves."""

    def __init__(self, hub: KeepingHub) -> None:
        self.hub = hub
        self.now = NOON
        self.workers: list[Process] = []

    def worker(
        self, private_mb: float = 100.0, *, first_mb: float = 50.0, age: timedelta = timedelta(hours=6)
    ) -> Process:
        made = store_process("web", slot=len(self.workers) + 1, started=self.now - age)
        made.lease_expires_at = self.now + timedelta(days=300)
        made.save()
        begin = made.started_at + MINUTE
        store_snapshots(made, begin, begin, lambda _m: {"uss_kib": int(first_mb * 1024)})
        self.workers.append(made)
        self.grow(made, private_mb)
        return made

    def grow(self, process: Process, private_mb: float) -> None:
        store_snapshots(process, self.now, self.now, lambda _m: {"uss_kib": int(private_mb * 1024)})

    def policy(self, **values: Any) -> RecyclingPolicy:
        given = {"mode": "act", "limit_mb": 300.0, "checks": 1, "rehearsed_at": NOON - timedelta(days=1), **values}
        row = RecyclingPolicy(service=Service.objects.get(name="web"), **given)
        row.save()
        return row

    def check(self, minutes: float = 1.0) -> int:
        self.now += minutes * MINUTE
        for worker in self.workers:
            last = worker.snapshots.order_by("-timestamp").first()
            if worker.ended_at is None and last is not None and last.uss_kib is not None:
                self.grow(worker, last.uss_kib / 1024)
        return checking.check(self.now, hub=self.hub)  # type: ignore[arg-type]

    def recorded(self) -> None:
        """What was asked for is over."""
        Recording.objects.pending().update(state=Recording.State.DONE, finished_at=timezone.now(), and_then="")

    def end(self, process: Process, reason: str = Process.End.RECYCLED_BY_MEMWATCH) -> None:
        own = next(each for each in self.workers if each.pk == process.pk)
        end_process(own, self.now, reason)
        own.refresh_from_db()

    def succeed(self, before: Process, private_mb: float = 60.0) -> Process:
        made = store_process("web", slot=before.slot_number, started=self.now)
        made.lease_expires_at = self.now + timedelta(days=300)
        made.save()
        self.workers.append(made)
        self.grow(made, private_mb)
        return made


@pytest.fixture
def web(transport_url: str, db: None) -> Deployment:
    return Deployment(KeepingHub())


def answer(command: wire.Command, state: str, detail: str = "") -> None:
    Command.objects.filter(wire_id=command.id).update(state=state, detail=detail, answered_at=timezone.now())
