"""What the doctor reads of the site: users, groups, beat's schedule, the runs of memwatch's tasks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.apps import apps
from django.utils import timezone

from memwatch.models import Lease

TIMETABLE, TIMETABLE_ONCE = "memwatch.timetable", "memwatch.timetable_once"
"""Leases that exclude no other process: they say that ``manage.py memwatch_work`` runs, or did so with ``--once``."""


def last_runs() -> dict[str, datetime]:
    """When each task last finished, by its lease; tasks that never finished are left out."""
    rows = Lease.objects.exclude(last_finished_at=None).values_list("name", "last_finished_at")
    return {name: at for name, at in rows if at is not None}


def timetable_runs() -> str:
    """Where ``manage.py memwatch_work`` runs memwatch's timetable, as ``host:pid``; empty where it does not."""
    rows = Lease.objects.filter(name__in=(TIMETABLE, TIMETABLE_ONCE), expires_at__gt=timezone.now())
    return rows.order_by("name").values_list("holder", flat=True).first() or ""


def finished_since(lease: str, since: datetime) -> bool:
    """Whether the task of this lease has finished since then."""
    return Lease.objects.filter(name=lease, last_finished_at__gte=since).exists()


def superuser() -> Any | None:
    """An active superuser; raises :class:`FieldError` for a user model without such fields."""
    from django.contrib.auth import get_user_model  # noqa: PLC0415 - needs auth in INSTALLED_APPS

    return get_user_model()._default_manager.filter(is_superuser=True, is_active=True).first()


def missing_groups(names: Iterable[str]) -> set[str]:
    """Those of these groups that do not exist."""
    from django.contrib.auth.models import Group  # noqa: PLC0415 - needs auth in INSTALLED_APPS

    wanted = set(names)
    return wanted - set(Group.objects.filter(name__in=wanted).values_list("name", flat=True))


def stored_beat_tasks() -> list[str]:
    """Enabled tasks that django-celery-beat keeps in the database; none where it is not installed."""
    if not apps.is_installed("django_celery_beat"):
        return []
    tasks = apps.get_app_config("django_celery_beat").get_model("PeriodicTask")
    return list(tasks._default_manager.filter(enabled=True).values_list("task", flat=True))
