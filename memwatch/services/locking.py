"""One at a time, over every worker and host: a row that one may hold until it expires."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from memwatch.models import Lease
from memwatch.models import connection as database


@contextmanager
def writing() -> Iterator[None]:
    """A transaction that takes SQLite's lock when it begins.

    One that has read and then wants to write beside another writer fails at once as "database is locked", whatever the
    timeout; one that begins by writing waits its turn. Other databases lock rows, and ``IMMEDIATE`` does it by itself.
    """
    with transaction.atomic(using=database.alias()):
        if _reads_first():
            Lease.objects.filter(name="").update(holder="")
        yield


def _reads_first() -> bool:
    connection = database.connection()
    if connection.vendor != "sqlite":
        return False
    mode = str(connection.settings_dict["OPTIONS"].get("transaction_mode") or "").upper()
    return mode not in ("IMMEDIATE", "EXCLUSIVE")


CLOCKS_APART = timedelta(seconds=60)
"""How far the clocks of two workers may be apart."""


@contextmanager
def single_flight(name: str, ttl_s: float, *, now: datetime | None = None) -> Iterator[bool]:
    """Yield True if this caller acquired the lease ``name``; a caller that did not should return.

    The holder gives it back at the end of the block. One that was killed loses it after ``ttl_s`` seconds, and so does
    one that works longer: what runs under a lease has to be harmless when run twice.
    """
    holder = _holder()
    held = take(name, holder, now or timezone.now(), ttl_s)
    try:
        yield held
    finally:
        if held:
            finished = timezone.now()
            Lease.objects.filter(name=name, holder=holder).update(
                holder="", expires_at=finished, last_finished_at=finished
            )


@contextmanager
def alone(name: str, ttl_s: float) -> Iterator[bool]:
    """The same for what is no task of the timetable: no run of it may count as a sign that the timetable runs."""
    holder = _holder()
    held = take(name, holder, timezone.now(), ttl_s)
    try:
        yield held
    finally:
        if held:
            drop(name, holder)


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"[-100:]


def take(name: str, holder: str, now: datetime, ttl_s: float) -> bool:
    """Whether this caller has the lease now: one UPDATE decides, the database lets only one of several through.

    An end further ahead than anybody could have asked for was written before the clock was set back.
    """
    over = Q(expires_at__lte=now) | Q(expires_at__gt=now + timedelta(seconds=ttl_s) + CLOCKS_APART)
    free = Lease.objects.filter(Q(holder="") | over, name=name)
    values = {"holder": holder, "expires_at": now + timedelta(seconds=ttl_s)}
    if free.update(**values):
        return True
    if Lease.objects.filter(name=name).exists():
        return False
    Lease.objects.bulk_create([Lease(name=name, expires_at=now)], ignore_conflicts=True)
    return bool(free.update(**values))


def claim(name: str, holder: str, ttl_s: float) -> None:
    """Say who has a lease that excludes no other process."""
    values = {"holder": holder, "expires_at": timezone.now() + timedelta(seconds=ttl_s)}
    Lease.objects.update_or_create(name=name, defaults=values)


def extend(name: str, holder: str, ttl_s: float) -> None:
    """Keep a lease that this holder has."""
    Lease.objects.filter(name=name, holder=holder).update(expires_at=timezone.now() + timedelta(seconds=ttl_s))


def drop(name: str, holder: str) -> None:
    """Delete a lease of this holder that is not needed again."""
    Lease.objects.filter(name=name, holder=holder).delete()
