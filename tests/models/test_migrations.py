"""A new database gets all tables at once, one that began earlier goes on as it began: both end the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from pytest_django import DjangoDbBlocker

EARLIER, LAST = "0020_recycling", "0037_plain_help_texts"
"""One of those that the migration of all tables replaces, and the last of all."""


@pytest.fixture
def databases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> Iterator[list[BaseDatabaseWrapper]]:
    """Two without tables."""
    names = ("grown", "new")
    engine = {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {}}
    for name in names:
        monkeypatch.setitem(
            connections.settings, name, {**connections.settings["default"], **engine, "NAME": tmp_path / name}
        )
    with django_db_blocker.unblock():
        yield [connections[name] for name in names]
        for name in names:
            connections[name].close()
            del connections[name]


def executor(database: BaseDatabaseWrapper, *, one_by_one: bool = False) -> MigrationExecutor:
    found = MigrationExecutor(database)
    if one_by_one:
        found.loader.replace_migrations = False
        found.loader.build_graph()
    return found


def missing(database: BaseDatabaseWrapper) -> list[str]:
    found = executor(database)
    plan = found.migration_plan(found.loader.graph.leaf_nodes("memwatch"))
    return [migration.name for migration, _backwards in plan if migration.app_label == "memwatch"]


def tables(database: BaseDatabaseWrapper) -> dict[str, list[str]]:
    """The definitions by name, the columns in the order of their names."""
    with database.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name LIKE 'memwatch_%' AND sql IS NOT NULL")
        return {name: sorted(re.split(r", |\(|\)", sql)) for name, sql in cursor.fetchall()}


def test_a_database_of_an_older_version_ends_with_the_tables_of_a_new_one(
    databases: list[BaseDatabaseWrapper],
) -> None:
    database, new = databases
    executor(database, one_by_one=True).migrate([("memwatch", EARLIER)])
    left = missing(database)
    assert (left[0], left[-1], len(left)) == ("0021_recycles_keep_their_drain_time_out", LAST, 17)
    executor(database).migrate([("memwatch", LAST)])
    assert missing(database) == []

    assert missing(new) == ["0001_squashed_0036_ends_noted_before_the_upgrade", LAST]
    executor(new).migrate([("memwatch", LAST)])
    assert missing(new) == []
    assert tables(new) == tables(database)
    assert len(tables(new)) > 60
