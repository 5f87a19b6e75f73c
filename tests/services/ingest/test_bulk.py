from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import dj_database_url
import pytest
from django.db import DatabaseError, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from memwatch.models import Installation, Process, Release, Service, Snapshot
from memwatch.models import connection as database
from memwatch.models.postgres import array
from memwatch.services.ingest import bulk
from memwatch.services.ingest.bulk import insert, save_columns

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ODD = [
    'a "quoted", {braced}, back\\slashed \\x41',
    "",
    "NULL",
    "null",
    " ",
    "ä\u2028\U0001f40d",
    "'; DROP TABLE x;--",
    "%s",
]
FIGURES: list[dict[str, Any]] = [
    {},
    {"rss_kib": 0, "threads": 2**31 - 1, "heap_used_kib": 2**63 - 1, "heap_limit_source": 'a"\\,{}'},
    {"gc_count": [1, 2, 300], "counts": {"1": 5, "70000": 2**40}, "extras": {"backfill": {"2": 1}}},
    {"counts": {}, "extras": {"big_containers": [{"type": "dict", "length": 9, "name": "ä"}]}},
]


@dataclasses.dataclass
class Place:
    """A database with the tables of processes and snapshots."""

    alias: str

    def process(self, pid: int) -> Process:
        service, _ = Service.objects.using(self.alias).get_or_create(name="web")
        return Process.objects.using(self.alias).create(
            key=f"a:{pid}", service=service, host="a", pid=pid, slot_number=pid, started_at=NOON, lease_expires_at=NOON
        )


@pytest.fixture(params=["the tests' own", "PostgreSQL"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if request.param == "the tests' own":
        yield Place("default")
        return
    given = {**connections["default"].settings_dict, "OPTIONS": {}}
    given |= dj_database_url.parse(request.getfixturevalue("postgres_url"))
    handler = ConnectionHandler({"default": given, "beside": given})
    connection: BaseDatabaseWrapper = handler["beside"]
    connections["beside"] = connection
    monkeypatch.setattr(database, "connection", lambda: connection)
    tables: list[type[models.Model]] = [Service, Release, Installation, Process, Snapshot]
    try:
        with connection.schema_editor() as editor:
            for model in tables:
                editor.create_model(model)
        yield Place("beside")
        with connection.schema_editor() as editor:
            for model in reversed(tables):
                editor.delete_model(model)
    finally:
        connection.close()
        del connections["beside"]


def test_rows_come_back_as_they_were_inserted_with_their_own_ids(place: Place) -> None:
    process = place.process(1)
    east = timezone(timedelta(hours=5, minutes=30))
    rows = [
        Snapshot(process=process, seq=seq, timestamp=NOON.astimezone(east), received_at=NOON, **figures)
        for seq, figures in enumerate(FIGURES)
    ]
    insert(rows)
    assert len({row.pk for row in rows}) == len(FIGURES)
    for row, figures in zip(rows, FIGURES, strict=True):
        assert not row._state.adding
        found = Snapshot.objects.using(place.alias).get(pk=row.pk)
        for field in Snapshot._meta.concrete_fields:
            assert getattr(found, field.attname) == getattr(row, field.attname), field
        assert {name: getattr(found, name) for name in figures} == figures


def test_more_rows_than_one_statement_takes_are_inserted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_AT_ONCE", 3)
    process = place.process(1)
    rows = [Snapshot(process=process, seq=seq, timestamp=NOON) for seq in range(7)]
    insert(rows)
    found = Snapshot.objects.using(place.alias).order_by("seq").values_list("seq", "pk")
    assert list(found) == [(row.seq, row.pk) for row in rows]


def test_nothing_is_inserted_and_saved_in_no_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        insert([])
        save_columns([], ("pid",))


def test_every_row_is_saved_with_its_own_values_and_no_other_column(place: Place) -> None:
    rows = [place.process(pid) for pid in range(1, len(ODD) + 1)]
    place.process(100)
    for row, text in zip(rows, ODD, strict=True):
        row.program = row.end_reason = text[:10]
        row.command_line = text
        row.extension_modules = [text, row.pid]
        row.parent_pid = None if row.pid % 2 else 2**40
        row.ended_at = None if row.pid % 3 else NOON + timedelta(microseconds=row.pid)
        row.host = "not to be saved"
    names = ("program", "end_reason", "command_line", "extension_modules", "parent_pid", "ended_at")
    save_columns(rows[::-1], names)
    for row in rows:
        found = Process.objects.using(place.alias).get(pk=row.pk)
        assert [getattr(found, name) for name in names] == [getattr(row, name) for name in names]
        assert found.host == "a"
    assert Process.objects.using(place.alias).get(pid=100).program == ""


def test_a_text_that_is_too_long_for_its_column_is_refused_not_cut(place: Place) -> None:
    rows = [place.process(1)]
    rows[0].end_reason = "x" * 21
    if database.connection().vendor == "sqlite":  # its columns have no lengths
        save_columns(rows, ("end_reason",))
        assert Process.objects.using(place.alias).get(pk=rows[0].pk).end_reason == "x" * 21
        return
    with pytest.raises(DatabaseError, match="too long"):
        save_columns(rows, ("end_reason",))


def test_a_field_whose_look_in_an_array_nobody_knows_is_named() -> None:
    with pytest.raises(TypeError, match="DurationField"):
        array(models.DurationField(), [timedelta(1)])


def test_nulls_fit_a_field_of_any_kind() -> None:
    assert array(models.UUIDField(), [None, None]) == "{NULL,NULL}"


@pytest.mark.parametrize("field", Process._meta.concrete_fields, ids=lambda field: str(field.name))
def test_every_column_of_a_process_can_be_written_at_once(field: models.Field[Any, Any]) -> None:
    values: dict[type, Any] = {
        models.FloatField: 1e-7, models.BooleanField: True, models.DateTimeField: NOON,
        models.CharField: "a", models.JSONField: ["b"],
    }  # fmt: skip
    of = field.target_field if isinstance(field, models.ForeignKey) else field
    value = next((each for kind, each in values.items() if isinstance(of, kind)), 1)
    assert array(field, [value, None]).startswith("{")
