"""What the charts draw, as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from memwatch.admin import chart_data, charts
from memwatch.admin.time_ranges import TimeRange
from memwatch.models import Baseline
from memwatch.queries import Point

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def _life(count: int, *, start: datetime = NOW, step: timedelta = MINUTE, **figures: float) -> list[Point]:
    values = figures or {"rss_mb": 100.0}
    return [Point(start + each * step, {k: (v, v, v) for k, v in values.items()}, {}) for each in range(count)]


def _page(*lives: list[Point], **options: Any) -> dict[str, Any]:
    chosen = TimeRange(since=NOW - MINUTE, until=NOW + 60 * MINUTE)
    page: dict[str, Any] = charts.process_charts(lives, chosen=chosen, **options)["charts"]
    return page


def _series(page: dict[str, Any], chart: str) -> dict[str, dict[str, Any]]:
    drawn = {each["id"]: each for each in page["data"]["charts"]}
    return {each["label"]: each for each in drawn[chart]["series"]}


def test_a_pause_is_drawn_as_a_gap() -> None:
    rss = _series(_page(_life(10) + _life(10, start=NOW + 30 * MINUTE)), "mw-chart-memory")["RSS"]
    assert rss["values"] == [100.0] * 10 + [None] + [100.0] * 10


def test_a_figure_that_only_every_fifth_snapshot_has_is_a_line_too() -> None:
    life = [
        Point(point.at, {**point.figures, **({"uss_mb": (90.0,) * 3} if at % 5 == 0 else {})}, {})
        for at, point in enumerate(_life(30))
    ]
    assert _series(_page(life), "mw-chart-memory")["USS"]["values"] == [90.0] * 6


def test_a_census_that_comes_irregularly_is_no_gap() -> None:
    counted = {0, 1, 2, 3, 9, 10, 25, 26}
    life = [
        Point(point.at, {**point.figures, **({"total_objects": (7.0,) * 3} if at in counted else {})}, {})
        for at, point in enumerate(_life(30))
    ]
    objects = _series(_page(life), "mw-chart-objects")["Objects tracked by gc"]
    assert objects["values"] == [7.0] * len(counted)


def test_two_lives_of_a_slot_are_one_line_each_with_nothing_between() -> None:
    rss = _series(_page(_life(3), _life(3, start=NOW + 3 * MINUTE)), "mw-chart-memory")["RSS"]
    assert rss["values"] == [100.0, 100.0, 100.0, None, 100.0, 100.0, 100.0]


def test_many_snapshots_in_one_point_are_a_mean_with_a_band() -> None:
    life = [Point(NOW + each * MINUTE, {"rss_mb": (90.0, 100.0, 130.0)}, {}) for each in range(5)]
    page = _page(life)
    rss = _series(page, "mw-chart-memory")["RSS"]
    assert (rss["low"][0], rss["values"][0], rss["high"][0]) == (90.0, 100.0, 130.0)
    assert "band" in page["note"]


def test_collections_are_told_a_minute_and_never_below_nothing() -> None:
    totals = (10.0, 20.0, 25.0, 3.0)
    life = [Point(NOW + at * MINUTE, {"gc_collections_gen0": (v, v, v)}, {}) for at, v in enumerate(totals)]
    assert _series(_page(life), "mw-chart-gc")["Generation 0"]["values"] == [10.0, 5.0, 0.0]


def test_a_limit_far_above_is_told_and_a_near_one_is_drawn() -> None:
    far = _page(_life(5, rss_mb=100.0, heap_size_mb=16_000.0))
    near = _page(_life(5, rss_mb=100.0, heap_size_mb=200.0))
    assert far["charts"][0].levels == []
    assert "15.6 GB" in far["charts"][0].note
    assert near["data"]["charts"][0]["lines"] == [{"label": "limit 200.0 MB", "value": 200.0, "tone": "critical"}]


def test_the_baseline_is_a_band_up_to_where_drift_would_be_an_alert() -> None:
    baseline = Baseline(heap_used_kib=200 * 1024, timestamp=NOW)
    band = _series(_page(_life(5), baseline=baseline), "mw-chart-memory")["Heap: baseline to drift alert"]
    assert (band["low"], band["high"], band["style"]) == ([200.0, 200.0], [300.0, 300.0], "area")


def test_a_chart_of_nothing_or_of_one_point_is_no_error() -> None:
    assert _page()["points"] == 0
    assert _page([])["charts"] == []
    assert _page(_life(1))["points"] == 1


def test_the_table_tells_what_the_charts_draw() -> None:
    page = _page(_life(100, step=timedelta(seconds=20), rss_mb=1536.0, total_objects=12_345))
    assert page["table"]["heads"] == ["RSS", "Objects tracked by gc"]
    assert len(page["table"]["rows"]) == chart_data.TABLE_ROWS
    assert page["table"]["rows"][0] == {"at": "2026-03-01 12:33:00 UTC", "cells": ["1,536.0 MB", "12,345"]}
