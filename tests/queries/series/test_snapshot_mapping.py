from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from memwatch.models import Snapshot
from memwatch.queries.diagnosis.object_types import names_of
from memwatch.queries.series.snapshot_mapping import columns_of, figures_of, type_names
from memwatch.records import FIGURES, BigContainer, MemorySnapshot
from memwatch.services.ingest.writer import intern
from memwatch.transport.wire import Report
from tests.reports import START, report, snapshot

pytestmark = pytest.mark.django_db


def kept(figures: MemorySnapshot) -> MemorySnapshot:
    """Into the columns and back."""
    return figures_of(Snapshot(timestamp=figures.timestamp, **columns_of(figures, intern(type_names(figures)))))


def test_what_was_not_measured_stays_unknown() -> None:
    figures = kept(MemorySnapshot(timestamp=START))
    assert figures == MemorySnapshot(timestamp=START)


def test_every_number_of_a_report_comes_back_from_its_column() -> None:
    numbers = {figure.name: 3 for figure in FIGURES.values() if figure.column}
    sent = report(snapshots={1: MemorySnapshot(timestamp=START, **numbers)})
    ((_seq, arrived),) = Report.decode(sent.encode()).snapshots
    back = kept(arrived)
    assert {name: getattr(back, name) for name in numbers} == numbers


def test_sizes_are_kept_to_the_kilobyte_and_times_to_the_microsecond() -> None:
    figures = kept(snapshot(heap_used_mb=64.123456, census_pause_ms=3.123456))
    assert figures.heap_used_mb == pytest.approx(64.123456, abs=1 / 2048)
    assert figures.census_pause_ms == 3.123


def test_an_empty_census_is_not_a_census_that_was_not_taken() -> None:
    assert kept(snapshot(counts={})).top_objects == {}
    assert kept(snapshot(top_objects=None)).top_objects is None


def test_types_come_back_by_name_the_largest_first() -> None:
    figures = kept(snapshot(counts={"shop.Small": 1, "dict": 9_000, "shop.Big": 10_000}, type_sizes={"dict": 232}))
    assert list(figures.top_objects.items()) == [("shop.Big", 10_000), ("dict", 9_000), ("shop.Small", 1)]
    assert figures.type_sizes == {"dict": 232}


def test_containers_come_back_as_they_were() -> None:
    containers = (BigContainer(type="list", length=5_000, holds="bytes", token=7, name="shop.leaks.FRAGMENTS"),)
    assert kept(snapshot(big_containers=containers)).big_containers == containers


def test_more_used_than_committed_is_no_fragmentation() -> None:
    assert kept(snapshot(heap_used_mb=90, heap_committed_mb=80)).fragmentation_percent == 0


def test_an_id_without_a_row_is_shown_as_unknown() -> None:
    assert names_of([987_654]) == {987_654: "?"}


def test_names_are_asked_for_in_one_query(django_assert_num_queries: Any) -> None:
    ids = intern(f"shop.T{number}" for number in range(300))
    with django_assert_num_queries(1):
        found = names_of(ids.values())
    assert found == {pk: name for name, pk in ids.items()}


@pytest.mark.django_db(transaction=True)
def test_what_a_transaction_took_back_is_forgotten() -> None:
    with transaction.atomic():
        intern(["shop.Undone"])
        transaction.set_rollback(True)
    other = intern(["shop.Other"])["shop.Other"]
    assert names_of([other]) == {other: "shop.Other"}
    assert intern(["shop.Undone"])["shop.Undone"] != other
