"""The difference from a baseline."""

from datetime import timedelta

import pytest

from memwatch.detection import compare
from tests.detection.builders import START, snapshot


def test_every_difference_is_current_less_baseline():
    before = snapshot(0, {"dict": 100, "list": 50}, heap_used_mb=40.0, rss_mb=100.0, total_objects=10_000)
    now = snapshot(10, {"dict": 400, "list": 50}, heap_used_mb=60.0, rss_mb=90.0, total_objects=15_000)
    report = compare(before, now)
    assert (report.heap_drift_mb, report.heap_drift_percent) == (20.0, 50.0)
    assert (report.object_drift, report.object_drift_percent) == (5000, 50.0)
    assert (report.rss_drift_mb, report.rss_drift_percent) == (-10.0, -10.0)
    assert report.type_drifts == {"dict": 300}
    assert report.significant_drifts == [
        "heap used +20.0 MB (+50.0 %)",
        "resident memory -10.0 MB (-10.0 %)",
        "objects +5,000 (+50.0 %)",
        "dict +300 (100 to 400)",
    ]


def test_what_either_side_did_not_measure_is_none():
    report = compare(snapshot(0), snapshot(1, {"dict": 1}, heap_used_mb=5.0))
    assert report.heap_drift_mb is None
    assert report.object_drift is None
    assert report.type_drifts == {}
    assert report.significant_drifts == []


def test_the_same_snapshot_has_no_drift():
    one = snapshot(0, {"dict": 100}, heap_used_mb=40.0, total_objects=10)
    report = compare(one, one)
    assert report.heap_drift_mb == 0
    assert report.significant_drifts == []


def test_a_type_reported_late_is_compared_with_its_backfill():
    report = compare(snapshot(0, {"dict": 1}), snapshot(1, {"dict": 1, "app.Thing": 900}, backfill={"app.Thing": 200}))
    assert report.type_drifts == {"app.Thing": 700}


def test_collections_are_compared_as_rates():
    before = snapshot(0, gc_collections_gen2=10)
    now = snapshot(10, gc_collections_gen2=40)
    report = compare(before, now, started_at=START - timedelta(seconds=600))
    assert report.gc_frequency_change == pytest.approx(3.0)
    assert report.significant_drifts == ["full garbage collections are 3.0 times as frequent"]


@pytest.mark.parametrize(("before", "now", "started"), [(0, 5, True), (10, 5, True), (10, 40, False), (None, 4, True)])
def test_a_rate_that_is_not_known_is_none(before, now, started):
    report = compare(
        snapshot(0, gc_collections_gen2=before),
        snapshot(1, gc_collections_gen2=now),
        started_at=START - timedelta(seconds=60) if started else None,
    )
    assert report.gc_frequency_change is None
