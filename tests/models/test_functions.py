"""Times of thousands of rows at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dj_database_url
import pytest
from django.db.models import DateTimeField, Value
from django.db.models.sql import Query
from django.db.utils import ConnectionHandler

from memwatch.models import Process, Service
from memwatch.models.functions import Moment

TIMES = [
    datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
    datetime(2026, 11, 28, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
    datetime(2099, 7, 4, 3, 2, 1, 123457, tzinfo=UTC),
    *(datetime(2026, 11, 28, tzinfo=UTC) + timedelta(microseconds=step * 7_919_993) for step in range(200)),
]


@pytest.mark.django_db
def test_moment_reads_the_times_of_the_rows() -> None:
    service = Service.objects.create(name="web")
    for number, at in enumerate(TIMES):
        Process.objects.create(
            key=str(number), service=service, host="h", pid=number, slot_number=number, started_at=at,
            lease_expires_at=at, ended_at=at if number % 2 else None,
        )  # fmt: skip
    rows = list(Process.objects.order_by("pk").values_list("pid", Moment("started_at"), Moment("ended_at")))
    assert rows == [(number, at, at if number % 2 else None) for number, at in enumerate(TIMES)]
    assert all(started.utcoffset() == timedelta(0) for _pid, started, _ended in rows)


@pytest.mark.postgres
@pytest.mark.django_db
def test_postgresql_tells_them_to_the_microsecond(postgres_url: str) -> None:
    connection = ConnectionHandler({"default": {**dj_database_url.parse(postgres_url), "TIME_ZONE": None}})["default"]
    query = Query(Process)
    compiler = query.get_compiler(connection=connection)
    try:
        for at in (*TIMES, None):
            moment = Moment(Value(at, output_field=DateTimeField())).resolve_expression(query)
            sql, values = compiler.compile(moment)
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {sql}".replace("NULL", "NULL::timestamptz"), values)
                (found,) = cursor.fetchone()
            for converter in moment.get_db_converters(connection):
                found = converter(found, moment, connection)
            assert found == at
    finally:
        connection.close()
