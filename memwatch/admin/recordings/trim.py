"""The page of an allocator check: before and after, the arenas, how memory grew back, what to set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch.admin import chart_data, formats
from memwatch.admin.chart_data import AGE, Axis, Chart, Level, Series
from memwatch.admin.fleet import allocator
from memwatch.admin.panels import Cell, Line, Table, figure
from memwatch.diagnosis.trim.verdict import Advice, came_back, verdict
from memwatch.models import Recording
from memwatch.queries.diagnosis import trims
from memwatch.queries.diagnosis.recordings import number, rows

MOST_ROWS = 40


def context(recording: Recording, result: Mapping[str, Any]) -> dict[str, Any]:
    """What the page of a finished check shows."""
    found = trims.followed(recording, result)
    levels = [(float(each["seconds"]), float(each["rss_mb"])) for each in found["regrowth"]]
    return {
        "result": {
            "sizes": _sizes(found),
            "lines": _lines(found),
            "arenas": _arenas(found),
            "advice": [_advice(each) for each in verdict(found).advice],
            "following": _following(recording, found),
            "change": allocator.change_text(recording.process),
        },
        "charts": chart_data.page_of_charts([_chart(found, levels)] if levels else []),
    }


def _sizes(result: Mapping[str, Any]) -> Table:
    measured = (
        (_("Resident memory (RSS)"), "rss_before_mb", "rss_after_mb"),
        (_("Private memory (USS)"), "uss_before_mb", "uss_after_mb"),
    )
    cells: list[list[Cell | str]] = []
    for label, name, later in measured:
        before, after = result[name], result[later]
        if before is None or after is None:
            continue
        returned = before - after
        cells.append([label, _size(before), _size(after), _size(returned)])
    return Table(title=_("Before and after"), names=[_("Memory"), _("Before"), _("After"), _("Returned")], cells=cells)


def _size(mb: float) -> Cell:
    return figure(formats.megabytes(mb), mb)


def _lines(result: Mapping[str, Any]) -> list[Line]:
    """What each allocator held before the call."""
    lines = [Line(label=_("malloc of"), value=result["malloc"])] if result["malloc"] else []
    for label, name, hint in (
        (_("malloc, taken"), "malloc_system_mb", _("from the system")),
        (_("malloc, free"), "malloc_free_mb", _("not in use; what was returned before is still counted")),
        (_("malloc, free in whole pages"), "malloc_pages_mb", _("about what can be returned")),
        (_("malloc, mapped"), "malloc_mapped_mb", _("large blocks, returned as soon as they are freed")),
        (_("pymalloc, taken"), "pymalloc_system_mb", _("for Python's objects of up to 512 bytes; not trimmed")),
        (_("pymalloc, in use"), "pymalloc_used_mb", ""),
    ):
        if result[name] is not None:
            lines.append(Line(label=label, value=formats.megabytes(result[name]), hint=hint))
    if result["trimmed"]:
        hint = _("other threads wait only if they need memory of the arena that is being trimmed")
        lines.append(Line(label=_("Length of the call"), value=formats.milliseconds(result["pause_ms"]), hint=hint))
    if result["threads"] is not None:
        lines.append(Line(label=_("Threads"), value=formats.count(result["threads"])))
    lines.append(Line(label=_("Settings"), value=allocator.settings_text(result["settings"])))
    return lines


def _arenas(result: Mapping[str, Any]) -> Table:
    cells: list[list[Cell | str]] = []
    for arena in rows(result, "arenas")[:MOST_ROWS]:
        system, free = number(arena.get("system_mb")), number(arena.get("free_mb"))
        share = min(100.0, max(0.0, free / system * 100)) if system > 0 else 0.0
        name = _("main") if arena.get("number") == 0 else formats.count(int(number(arena.get("number"))))
        pages = number(arena.get("pages_mb"))
        cells.append([name, _size(system), _size(free), figure(formats.percent(share), share), _size(pages)])
    more = int(number(result.get("arenas_in_all"))) - len(cells)
    return Table(
        title=_("Arenas of malloc, before the call"),
        names=[_("Arena"), _("Taken"), _("Free"), _("Share"), _("Free in whole pages")],
        cells=cells,
        note=ngettext("%d smaller arena is not shown.", "%d smaller arenas are not shown.", more) % more
        if more > 0
        else "",
    )


def _advice(advice: Advice) -> dict[str, str]:
    gain = advice.gain_mb
    return {
        "setting": advice.setting,
        "text": advice.text,
        "gain": "" if gain is None else _("Concerns up to %s of it.") % formats.megabytes(gain),
    }


def _following(recording: Recording, result: Mapping[str, Any]) -> str:
    if not result["trimmed"]:
        return ""
    length = formats.duration(trims.watched_for(recording).total_seconds())
    if result["watched_s"] is None:
        return _("memwatch follows resident memory for %s after the call. Reload this page for new figures.") % length
    if not result["regrowth"]:
        return _("No snapshot was taken in the time after the call. Follow it for longer than the snapshot interval.")
    share, seconds = came_back(
        result["rss_before_mb"], result["rss_after_mb"], [(e["seconds"], e["rss_mb"]) for e in result["regrowth"]]
    )
    words = {"share": formats.percent(share * 100), "time": formats.duration(result["watched_s"])}
    if seconds is not None:
        return _("Most of it came back within %s.") % formats.duration(seconds)
    return _("%(share)s of what was returned came back within %(time)s.") % words


def _chart(result: Mapping[str, Any], levels: Sequence[tuple[float, float]]) -> Chart:
    points = [(0.0, float(result["rss_after_mb"])), *levels]
    return Chart(
        id="mw-chart-regrowth",
        title=_("RSS after the call"),
        unit=" MB",
        axis=Axis(kind=AGE, label=_("Time after the call")),
        series=[
            Series(
                label=_("RSS"), positions=[seconds for seconds, _mb in points], values=[mb for _seconds, mb in points]
            )
        ],
        levels=[Level(label=_("before the call"), value=float(result["rss_before_mb"]), tone="medium")],
    )
