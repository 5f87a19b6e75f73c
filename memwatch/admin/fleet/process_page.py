"""The page of one process: how it is, what leaks, what it was like over time, what it is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from memwatch import queries
from memwatch.admin import charts, formats, panels, time_ranges
from memwatch.admin.anomalies import words
from memwatch.admin.deaths import charts as death_charts
from memwatch.admin.deaths import section
from memwatch.admin.deaths.evidence import Evidence
from memwatch.admin.fleet import allocator, container, slots
from memwatch.admin.leaks import tables
from memwatch.admin.process_tables import process_state
from memwatch.models import Baseline, Leak, Process, Snapshot
from memwatch.queries.anomalies import forecast_of
from memwatch.queries.leaks import unresolved_of
from memwatch.queries.processes.installations import distributions_of
from memwatch.queries.processes.surroundings import container_of
from memwatch.records import KIB_PER_MB, MemorySnapshot
from memwatch.records.server_settings import DECLARED


def context(process: Process, query: Mapping[str, str], now: datetime, user: Any) -> dict[str, Any]:
    """What its template shows to ``user``, for the range that the URL asks for."""
    last, baseline = queries.last_snapshot_of(process), queries.baseline_of(process)
    counted = queries.last_census(last) if last and not process.outside else None
    figures = _with_census(last, counted)
    leaks = tables.worst_first(unresolved_of(process))
    leaking = [leak.object_type for leak in leaks if leak.state != Leak.State.SUPPRESSED]
    comparison = queries.compare(baseline, counted) if baseline and counted else None
    chosen = time_ranges.asked(
        query,
        now=now,
        first=min(process.started_at, process.first_seen_at),
        last=None if process.is_alive else process.ended_at,
    )
    types = _drawn_types(comparison, leaking, figures.top_objects if figures else None)
    history = queries.charted([process], since=chosen.since, until=chosen.until, types=types)[process.pk]
    evidence = Evidence(process.end_evidence)
    death = section.context(process, evidence, now)
    happened = queries.events([process], since=chosen.since, until=chosen.until)
    return {
        "outside": process.outside,
        "title": process.slot,
        "subtitle": _("on %s") % process.host,
        "state": process_state(process),
        "facts": _facts(process, now),
        "death": death,
        "figures": figures,
        "taken": formats.when(figures.timestamp, now) if figures else "",
        "tiles": [
            *panels.now_tiles(figures, queries.drift_between(process, baseline, last)),
            *_end_tile(process, leaks, now, user),
        ],
        "leaks": [tables.leak_row(leak, now) for leak in leaks],
        **charts.process_charts(
            [history],
            types=types,
            baseline=baseline,
            chosen=chosen,
            events=happened,
            outside=process.outside,
            apart=death_charts.charts(evidence) if death else (),
        ),
        "baseline_text": baseline_text(baseline, now),
        "counted": formats.when(counted.timestamp, now) if counted and counted is not last else "",
        "types": _types(comparison, figures, leaking) if figures else None,
        "containers": panels.container_table(figures.big_containers if figures else None),
        "memory_lines": panels.memory_lines(figures) if figures else [],
        "object_lines": [*panels.object_lines(figures), _census_line(process)] if figures else [],
        "allocator": allocator.panel(process, figures, now, user),
        "container": container.panel(container_of(process, now=now), now),
        "identity": _identity(process, now),
        "distributions": distributions_of(process),
        "server_settings": settings_lines(process.server_settings),
        "resource": resource_lines(process.resource),
        "neighbours": slots.neighbours(process, now),
        "slot_url": slots.url(process),
        "compare_url": compare_url(process, baseline, counted or last),
    }


def _with_census(last: Snapshot | None, counted: Snapshot | None) -> MemorySnapshot | None:
    """The last figures, with the objects of the latest census where there was none this time."""
    if last is None:
        return None
    if counted is None or counted is last:
        return queries.figures_of(last)
    figures, census = queries.figures_of_many([last, counted])
    return dataclasses.replace(figures, total_objects=census.total_objects, top_objects=census.top_objects)


def compare_url(process: Process, baseline: Baseline | None, after: Snapshot | None) -> str:
    """The comparison of a snapshot, the last that counted, with the baseline; the choice alone where one is missing."""
    values: dict[str, Any] = {"process": process.pk}
    if after is not None and baseline is not None:
        values |= {"from": f"baseline-{baseline.pk}", "to": after.pk}
    try:
        return f"{reverse('admin:memwatch_snapshot_compare')}?{urlencode(values)}"
    except NoReverseMatch:
        return ""


def baseline_text(baseline: Baseline | None, now: datetime) -> str | SafeString:
    """What the process is compared with."""
    if baseline is None:
        return _("There is no baseline yet. The first snapshot after the warm-up sets it.")
    whose = _("of the service") if baseline.process_id is None else _("of this process")
    how = _("set automatically") if baseline.automatic else _("reset")
    return format_html(
        _("Compared with the {} {}, {} {}."),
        formats.link_to(baseline, _("baseline")),
        whose,
        how,
        formats.when(baseline.created_at, now),
    )


def _types(comparison: queries.Comparison | None, figures: MemorySnapshot, leaking: Sequence[str]) -> panels.Table:
    title = _("Types now, against the baseline") if comparison else _("Types now")
    return panels.types_now(comparison, figures, title=title, leaking=leaking)


def _drawn_types(
    comparison: queries.Comparison | None, leaking: Sequence[str], counts: Mapping[str, int] | None
) -> list[str]:
    """Those that leak, then those that grew most; without a baseline the most numerous."""
    if comparison is None:
        grown = sorted(counts or {}, key=lambda name: -(counts or {})[name])
    else:
        grown = [row.name for row in comparison.types if (row.difference or 0) > 0]
    known = set(counts or {})
    return list(dict.fromkeys([*(name for name in leaking if name in known), *grown]))[: charts.SHOWN_TYPES]


def _end_tile(process: Process, leaks: Sequence[Leak], now: datetime, user: Any) -> list[panels.Line]:
    """The forecast of its memory; without one that ``user`` may see, what its leak alone would do."""
    forecast = forecast_of(process) if user.has_perm("memwatch.view_forecast") else None
    if forecast is not None:
        value = words.interval(forecast, now)
        return [panels.Line(label=_("Memory runs out"), value=value, hint=_("in four of five cases"))]
    counted = [leak for leak in leaks if leak.state != Leak.State.SUPPRESSED]
    ends = [left for leak in counted if (left := leak.time_left_s(now)) is not None]
    if not ends:
        return []
    value = _("in %s") % formats.duration(min(ends))
    return [panels.Line(label=_("Memory runs out"), value=value, hint=_("at the current rate"))]


def _census_line(process: Process) -> panels.Line:
    """How often its objects are counted, and whether that is enough for a verdict."""
    every = process.census_interval_s
    return panels.Line(
        label=_("Objects counted"),
        value=formats.NOT_MEASURED if every is None else _("every %s") % formats.duration(every),
        hint=_("often enough for a verdict") if process.leaks_known else _("too few counts for a verdict yet"),
        tone="" if process.leaks_known or process.outside else "medium",
    )


def _facts(process: Process, now: datetime) -> list[str | SafeString]:
    facts: list[str | SafeString] = [
        formats.link_to(process.service),
        _("pid %d") % process.pid,
        format_html(_("started {}"), formats.when(process.started_at, now)),
        format_html(_("last seen {}"), formats.when(process.last_seen_at, now)),
    ]
    if process.release:
        name = _("release %s") % process.release.name
        facts.insert(1, formats.link_to(process.release, name))
    if process.growing_since and process.is_alive:
        rate = formats.megabytes((process.growth_kib_per_hour or 0) / KIB_PER_MB)
        facts.append(
            format_html(_("memory grows by {} an hour since {}"), rate, formats.when(process.growing_since, now))
        )
    if process.ended_at:
        facts.append(format_html("{} {}", process.get_end_reason_display(), formats.when(process.ended_at, now)))
    return facts


def settings_lines(stored: Mapping[str, Any]) -> list[panels.Line]:
    """What its server says of itself; a limit of 0 is none."""
    return [
        panels.Line(label=_(declared.label), value=_setting(name, stored[name]))
        for name, declared in DECLARED.items()
        if name in stored
    ]


def resource_lines(stored: Mapping[str, str]) -> list[panels.Line]:
    """Attributes of its OpenTelemetry resource, as its traces have them."""
    return [panels.Line(label=name, value=value) for name, value in sorted(stored.items())]


def _setting(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int):
        return _("none") if name.startswith("max_") and not value else formats.count(value)
    return str(value)


def _identity(process: Process, now: datetime) -> list[panels.Line]:
    return [
        panels.Line(label=_("Program"), value=process.program or formats.NOT_MEASURED),
        panels.Line(label=_("Command line"), value=process.command_line or formats.NOT_MEASURED),
        panels.Line(label=_("Parent pid"), value=str(process.parent_pid or formats.NOT_MEASURED)),
        panels.Line(label=_("Started by"), value=process.start_method or formats.NOT_MEASURED),
        panels.Line(
            label=_("Frozen objects"),
            value=formats.count(process.frozen_objects),
            hint=_("set apart by gc.freeze() before the fork") if process.frozen_objects else "",
        ),
        panels.Line(label=_("Python"), value=process.python or formats.NOT_MEASURED),
        panels.Line(label=_("Agent"), value=process.agent_version or formats.NOT_MEASURED),
        panels.Line(label=_("Objects counted by"), value=process.census_method or formats.NOT_MEASURED),
        panels.Line(label=_("First seen"), value=formats.when(process.first_seen_at, now)),
        panels.Line(label=_("Lease expires"), value=formats.when(process.lease_expires_at, now)),
        panels.Line(label=_("Snapshots dropped"), value=formats.count(process.dropped_snapshots)),
        panels.Line(label=_("Failed samplings"), value=formats.count(process.sampling_failures)),
        panels.Line(label=_("Commands refused"), value=formats.count(process.refused_commands)),
    ]
