"""Transactions that read first and write then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

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
