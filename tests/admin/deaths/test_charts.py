"""Which charts the end of a process gets."""

from __future__ import annotations

from typing import Any

from memwatch.admin.deaths.charts import charts
from memwatch.admin.deaths.evidence import Evidence


def _charts(*points: tuple[float, float], **values: Any) -> list[Any]:
    return charts(Evidence({"rss_seconds": [list(point) for point in points], **values}))


def test_one_figure_is_no_chart() -> None:
    assert _charts() == _charts((3.0, 100.0)) == []


def test_a_short_record_is_one_chart_and_a_long_one_has_its_last_seconds_apart() -> None:
    seconds = [(float(second), 100.0) for second in range(60, -1, -1)]
    assert len(_charts(*seconds)) == 1
    assert len(_charts((3_600.0, 90.0), *seconds)) == 2
    assert len(_charts((3_600.0, 90.0), (1_800.0, 90.0), (60.0, 95.0))) == 1


def test_a_limit_that_is_far_away_is_a_note() -> None:
    (chart,) = _charts((2.0, 100.0), (1.0, 120.0), limit_mb=8_192.0)
    assert not chart.levels
    assert "The limit of 8,192.0 MB is far above these values" in chart.note


def test_the_job_s_part_of_the_line_begins_with_the_job() -> None:
    job = {"kind": "task", "name": "x", "seconds": 2.0}
    within, whole = _charts((3.0, 1.0), (2.0, 2.0), (1.0, 3.0), job=job)[0].series
    assert (within.positions, whole.positions) == ([-2.0, -1.0], [-3.0, -2.0, -1.0])
    assert not within.tabled
