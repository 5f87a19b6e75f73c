"""The database that the site's routers send memwatch's rows to, and what may be wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from memwatch.models.operations import Lease

WITHOUT_ZONES = "USE_TZ is off, and memwatch's times have a zone: set USE_TZ = True"


def alias() -> str:
    """Its key in ``DATABASES``."""
    return router.db_for_write(Lease)


def connection() -> BaseDatabaseWrapper:
    """This thread's connection to it."""
    return connections[alias()]


def knock(within_s: int) -> None:
    """Raise a database error where the server gives no new connection within this time, as one that is frozen does.

    The connections that are there would wait for its answer for ever. Only PostgreSQL is asked: the rest is a file.
    """
    wrapper = connection()
    if wrapper.vendor != "postgresql":
        return
    with wrapper.wrap_database_errors:
        wrapper.Database.connect(**{**wrapper.get_connection_params(), "connect_timeout": within_s}).close()  # type: ignore[attr-defined]  # each backend has it


@contextmanager
def impatient(within_s: int) -> Iterator[None]:
    """Let what is asked inside fail where it takes longer, as behind a migration's lock. PostgreSQL only."""
    wrapper = connection()
    if wrapper.vendor != "postgresql":
        yield
        return
    with transaction.atomic(using=wrapper.alias), wrapper.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {int(within_s) * 1000}")
        yield


def missing_migrations() -> int:
    """How many of memwatch's migrations it has not seen. Reads all migrations: not for every request."""
    executor = MigrationExecutor(connection())
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes("memwatch"))
    return sum(migration.app_label == "memwatch" for migration, _backwards in plan)


def remedy() -> str:
    """The command that makes the tables."""
    where = alias()
    return "manage.py migrate" if where == "default" else f"manage.py migrate --database {where}"


def obstacle() -> str | None:
    """What has to be done before anything can be stored or read: asked when the database has refused something."""
    if not settings.USE_TZ:
        return WITHOUT_ZONES
    try:
        # After an error an open transaction answers nothing more; another thread has a connection of its own.
        missing = _elsewhere(missing_migrations) if connection().in_atomic_block else missing_migrations()
    except DatabaseError:
        return None  # it is away: that is another matter
    return f"database {alias()!r} has {missing} unapplied migration(s) of memwatch: run {remedy()}" if missing else None


def _elsewhere(ask: Callable[[], int]) -> int:
    def asked() -> int:
        try:
            return ask()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asked).result()
