"""The database that the site's routers send memwatch's rows to."""

from __future__ import annotations

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from memwatch.models.operations import Lease


def alias() -> str:
    """Its key in ``DATABASES``."""
    return router.db_for_write(Lease)


def connection() -> BaseDatabaseWrapper:
    """This thread's connection to it."""
    return connections[alias()]


def missing_migrations() -> int:
    """How many of memwatch's migrations it has not seen. Reads all migrations: not for every request."""
    executor = MigrationExecutor(connection())
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes("memwatch")))


def remedy() -> str:
    """The command that makes the tables."""
    where = alias()
    return "manage.py migrate" if where == "default" else f"manage.py migrate --database {where}"
