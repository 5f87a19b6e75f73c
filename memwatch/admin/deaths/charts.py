"""Resident memory in the last minutes and seconds of a process, against its limit."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from memwatch.admin.chart_data import BEFORE, Axis, Chart, Series
from memwatch.admin.charts import limit_level
from memwatch.admin.deaths.evidence import Evidence
from memwatch.formatting import MINUTE

CLOSE_S = 2 * MINUTE
"""The last seconds have a chart of their own where the whole record is much longer than this."""
LEAST_POINTS = 5


def charts(evidence: Evidence) -> list[Chart]:
    """The whole record; and its end, where that would be a sliver of it."""
    points = evidence.rss_seconds
    if len(points) < 2:
        return []
    found = [_chart("mw-chart-end", _("RSS until the end"), points, evidence)]
    close = [point for point in points if point[0] <= CLOSE_S]
    if points[0][0] > 2 * CLOSE_S and len(close) >= LEAST_POINTS:
        found.append(_chart("mw-chart-last-seconds", _("RSS in the last seconds"), close, evidence))
    return found


def _chart(key: str, title: str, points: Sequence[tuple[float, float]], evidence: Evidence) -> Chart:
    levels, note = limit_level(evidence.limit_mb, max(mb for _before, mb in points))
    series, job = [_line(_("RSS"), points, tone="4")], evidence.job
    if job is not None and job.seconds is not None:
        within = [point for point in points if point[0] <= job.seconds]
        if len(within) > 1:
            # The first is drawn on top.
            series.insert(0, _line(_("while the job ran"), within, tone="2", tabled=False))
    return Chart(
        id=key, title=title, unit=" MB", series=series, levels=levels, note=note,
        axis=Axis(kind=BEFORE, label=_("Time before the end")), apart=True,
    )  # fmt: skip


def _line(label: str, points: Sequence[tuple[float, float]], *, tone: str, tabled: bool = True) -> Series:
    return Series(
        label=label,
        positions=[-before for before, _mb in points],
        values=[mb for _before, mb in points],
        tone=tone,
        tabled=tabled,
    )
