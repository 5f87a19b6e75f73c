"""Pages of snapshots by keyset: complete, in order, and without counting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from memwatch.models import Process, Service, Snapshot
from memwatch.queries import Cursor, newest_snapshots

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def rows(db: None) -> list[Snapshot]:
    """Seven processes of two services, with unlike numbers of snapshots, some at the very same time."""
    made = []
    for number in range(7):
        service, _new = Service.objects.get_or_create(name=f"s{number % 2}")
        process = Process.objects.create(
            key=str(number), service=service, host="h", pid=number + 1, slot_number=number, started_at=NOW,
            lease_expires_at=NOW,
        )  # fmt: skip
        count = (3, 40, 1, 25, 40, 0, 8)[number]
        for seq in range(count):
            at = NOW - timedelta(seconds=(count - seq) * (10 + number % 3))
            made.append(Snapshot.objects.create(process=process, seq=seq, timestamp=at, rss_kib=seq))
        process.last_snapshot = made[-1] if count else None
        process.save()
    return made


def _walk(processes: object, count: int, *, newer: bool = False) -> list[int]:
    """The ids of page after page."""
    found: list[int] = []
    page = newest_snapshots(processes, count=count)  # type: ignore[arg-type]
    if newer:
        while page.older:
            page = newest_snapshots(processes, cursor=page.older, count=count)  # type: ignore[arg-type]
    for _page in range(300):
        ids = [row.pk for row in page.rows]
        found = [*ids, *found] if newer else [*found, *ids]
        cursor = page.newer if newer else page.older
        if cursor is None:
            return found
        page = newest_snapshots(processes, cursor=cursor, count=count)  # type: ignore[arg-type]
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("count", [3, 7, 50, 500])
@pytest.mark.parametrize("newer", [False, True])
def test_pages_hold_every_snapshot_once_in_order(count: int, newer: bool, rows: list[Snapshot]) -> None:
    assert _walk(None, count, newer=newer) == [row.pk for row in reversed(rows)]
    of_time = sorted(rows, key=lambda row: (row.timestamp, row.pk), reverse=True)
    assert _walk(Process.objects.all(), count, newer=newer) == [row.pk for row in of_time]
    some = Process.objects.filter(service__name="s1")
    ids = set(some.values_list("pk", flat=True))
    assert _walk(some, count, newer=newer) == [row.pk for row in of_time if row.process_id in ids]


def test_a_page_of_processes_without_snapshots_is_empty(rows: list[Snapshot]) -> None:
    page = newest_snapshots(Process.objects.filter(pid=6))
    assert (page.rows, page.older, page.newer) == ([], None, None)
    assert newest_snapshots(Process.objects.none()).rows == []


def test_nothing_is_counted_and_packed_columns_are_not_read(rows: list[Snapshot]) -> None:
    for processes in (None, Process.objects.all()):
        with CaptureQueriesContext(connection) as captured:
            page = newest_snapshots(processes, count=5)
            assert page.older
            newest_snapshots(processes, cursor=page.older, count=5)
        assert len(captured) <= 6
        assert not any("COUNT(" in query["sql"] or "OFFSET 5" in query["sql"] for query in captured)
        assert not any('"memwatch_snapshot"."counts"' in query["sql"] for query in captured)


def test_a_cursor_is_a_text_and_nonsense_is_none() -> None:
    cursor = Cursor(pk=7, timestamp=NOW + timedelta(microseconds=123))
    assert Cursor.parse(str(cursor)) == cursor
    for text in ("", "x", "1", "1.", ".1", "1.x", "-1.2", "9" * 30 + ".1", "1.1.1", "<script>"):
        assert Cursor.parse(text) is None
