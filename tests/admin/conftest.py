"""A small fleet in the database, and who looks at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone

from memwatch.conf import get_settings
from memwatch.models import Baseline, Leak, ObjectType, Process, Service, Snapshot
from memwatch.permissions import OPERATORS, VIEWERS
from memwatch.queries.series.snapshot_mapping import COLUMNS, columns_of
from memwatch.records import BigContainer, MemorySnapshot

EVIL = "<script>alert('type')</script>.Evil"


class Fleet:
    """Makes services, processes and leaks, with figures that look real."""

    def __init__(self) -> None:
        self.now = timezone.now()

    def process(self, service: str = "web", slot: int = 1, **values: Any) -> Process:
        owner, _new = Service.objects.get_or_create(name=service)
        made = {
            "key": f"node-a/{service}/{slot}/{Process.objects.count()}",
            "service": owner,
            "host": "node-a",
            "pid": 4000 + Process.objects.count(),
            "slot_number": slot,
            "started_at": self.now - timedelta(hours=3),
            "last_seen_at": self.now - timedelta(seconds=20),
            "lease_expires_at": self.now + timedelta(minutes=3),
            **values,
        }
        return Process.objects.create(**made)

    def snapshot(self, process: Process, *, minutes_ago: float = 0, **values: Any) -> Snapshot:
        """One more snapshot, which becomes the process's last."""
        figures = MemorySnapshot(
            timestamp=self.now - timedelta(minutes=minutes_ago),
            **{
                "heap_size_mb": 512.0,
                "heap_limit_source": "cgroup",
                "heap_used_mb": 1234.5,
                "rss_mb": 140.25,
                "total_objects": 61_234,
                "top_objects": {"dict": 9_000, "shop.leaks.PriceQuote": 4_200, EVIL: 77},
                "big_containers": (BigContainer(type="list", length=12_000, holds="bytes", name="shop.leaks.PARTS"),),
                "gc_threshold": (700, 10, 10),
                **values,
            },
        )
        ids = {
            name: ObjectType.objects.get_or_create(name=name)[0].pk
            for name in (figures.top_objects or {}).keys() | (figures.type_sizes or {}).keys()
        }
        row = Snapshot.objects.create(
            process=process,
            seq=Snapshot.objects.filter(process=process).count(),
            timestamp=figures.timestamp,
            **columns_of(figures, ids),
        )
        process.last_snapshot, process.last_seq = row, row.seq
        process.save(update_fields=["last_snapshot", "last_seq"])
        return row

    def baseline(self, snapshot: Snapshot, **values: Any) -> Baseline:
        row = Baseline(
            service=snapshot.process.service,
            process=snapshot.process,
            timestamp=snapshot.timestamp,
            automatic=True,
            **values,
        )
        for column in COLUMNS:
            setattr(row, column, getattr(snapshot, column))
        row.save()
        return row

    def leak(self, process: Process, object_type: str = "shop.leaks.PriceQuote", **values: Any) -> Leak:
        made = {
            "service": process.service,
            "process": process,
            "object_type": object_type,
            "severity": "high",
            "initial_count": 200,
            "current_count": 4_200,
            "growth_count": 4_000,
            "growth_percent": 2_000.0,
            "growth_per_hour": 1_300.0,
            "time_to_exhaustion_s": 12_000.0,
            "verdict": f"{object_type} grows by 1,300 objects an hour and never falls back.",
            "evidence": {"rule": "trend", "statistics": {"tau": 0.98}},
            "started_at": self.now - timedelta(hours=3),
            **values,
        }
        return Leak.objects.create(**made)


@pytest.fixture
def fleet(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Beside an empty transport: reports that other tests have left would be a backlog."""
    monkeypatch.setenv("MEMWATCH_TRANSPORT", f"local://{tmp_path}/transport")
    get_settings.cache_clear()
    yield Fleet()
    get_settings.cache_clear()


@pytest.fixture
def now(fleet: Fleet) -> datetime:
    return fleet.now


@pytest.fixture
def login(db: None) -> Callable[..., Client]:
    """Log in as ``viewer``, ``operator``, ``staff`` (no permission of memwatch) or ``root``; or with permissions."""

    def enter(who: str, *permissions: str) -> Client:
        user = User.objects.create_user(who, password=who, is_staff=True, is_superuser=who == "root")
        groups = {"viewer": VIEWERS, "operator": OPERATORS}
        if who in groups:
            user.groups.add(Group.objects.get(name=groups[who]))
        user.user_permissions.set(
            Permission.objects.filter(content_type__app_label="memwatch", codename__in=permissions)
        )
        client = Client()
        client.force_login(user)
        return client

    return enter
