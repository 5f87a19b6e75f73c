"""The tables of the overview: services with their last hours, leaks by cause, what watching costs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch import queries
from memwatch.admin import formats
from memwatch.admin.deaths import admin as deaths_admin
from memwatch.admin.formats import sparkline
from memwatch.admin.leaks import evidence
from memwatch.admin.leaks.tables import causes_of
from memwatch.admin.panels import Line
from memwatch.conf import get_settings
from memwatch.models import Leak
from memwatch.queries import Candidate, Glance, LeakGlance, Recent
from memwatch.records import KIB_PER_MB, SEVERITIES


def service_rows(
    items: Sequence[Glance],
    leaks: Sequence[LeakGlance],
    worst: Mapping[int, Leak | None],
    *,
    silent: Mapping[int, int],
    died: Mapping[int, int],
    now: datetime,
) -> list[dict[str, Any]]:
    """Each service with its figures of now and its last hours; those that leak worst come first.

    ``worst``: the worst leak of each service that has one, by the service's id; ``silent``: see :func:`silent_of`;
    ``died``: deaths of the last 24 h.
    """
    drifts = queries.heap_drifts(items)
    recent = _recent(items, leaks, now)
    members: dict[int, list[Glance]] = {}
    for item in items:
        members.setdefault(item.service_id, []).append(item)
    own: dict[int, list[LeakGlance]] = {}
    for leak in leaks:
        own.setdefault(leak.service_id, []).append(leak)
    rows = [
        _service_row(
            group,
            own.get(pk, []),
            worst.get(pk),
            silent=silent[pk],
            died=died.get(pk, 0),
            drifts=drifts,
            past=recent.get(pk),
            now=now,
        )
        for pk, group in members.items()
    ]
    return sorted(rows, key=lambda row: (row["rank"], row["name"]))


def worst_of_services(leaks: Sequence[LeakGlance]) -> dict[int, int]:
    """The id of the first leak of each service, by the service's; give them worst first."""
    found: dict[int, int] = {}
    for leak in leaks:
        found.setdefault(leak.service_id, leak.pk)
    return found


def _recent(items: Sequence[Glance], leaks: Sequence[LeakGlance], now: datetime) -> Mapping[int, Recent]:
    leaking = Counter(leak.process_id for leak in leaks)
    return queries.recent_of(
        (
            Candidate(leaking[item.pk], item.rss_kib or 0.0, item.pk, item.service_id, item.started_at, item.last_seq)
            for item in items
            if not item.outside
        ),
        now,
    )


def _service_row(
    members: Sequence[Glance],
    leaks: Sequence[LeakGlance],
    worst: Leak | None,
    *,
    silent: int,
    died: int,
    drifts: Mapping[int, float],
    past: Recent | None,
    now: datetime,
) -> dict[str, Any]:
    left = min((left for leak in leaks if (left := leak.time_left_s(now)) is not None), default=None)
    figures: dict[str, float | None] = {
        "alive": len(members),
        "worst": SEVERITIES.index(worst.severity) if worst else None,
        "exhaustion": left,
        "rss": _total(item.rss_kib for item in members),
        "growth": past.growth_mb_per_hour if past else None,
        "heap": _total(item.heap_used_kib for item in members),
        "share": max((share for item in members if (share := item.heap_percent) is not None), default=None),
        "drift": max((drifts[item.pk] for item in members if item.pk in drifts), default=None),
    }
    return {
        "rank": (-SEVERITIES.index(worst.severity) if worst else 1, math.inf if left is None else left),
        "sort": {name: "" if value is None else f"{value:.6g}" for name, value in figures.items()},
        "url": formats.page_url("service", members[0].service_id),
        "name": members[0].service,
        "alive": formats.count(len(members)),
        "silent": _("%s silent") % formats.count(silent) if silent else "",
        "died": ngettext("%s death in 24 h", "%s deaths in 24 h", died) % formats.count(died) if died else "",
        "deaths_url": deaths_admin.url(members[0].service_id, time=deaths_admin.DAY),
        "rss": formats.megabytes(figures["rss"]),
        "heap": formats.megabytes(figures["heap"]),
        "share": formats.percent(figures["share"]),
        "spark": spark(past, len(members)),
        "growth": formats.signed_megabytes(figures["growth"]),
        "drift": formats.signed_percent(figures["drift"]),
        "leaks": formats.count(len(causes_of(leaks))),
        "worst": formats.severity_of(worst) if worst else "",
        "worst_name": evidence.held_in(worst) or evidence.name_of(worst) if worst else "",
        "worst_url": formats.page_url("leak", worst.pk) if worst else "",
        "exhaustion": _("in %s") % formats.duration(left) if left is not None else formats.NOT_MEASURED,
    }


def silent_of(items: Iterable[Glance], now: datetime) -> Counter[int]:
    """How many count as silent, by their service's id."""
    before = now - timedelta(seconds=get_settings().silent_after_s)
    return Counter(item.service_id for item in items if item.last_seen_at < before)


def cost_lines(state: Mapping[str, Any]) -> list[Line]:
    """What watching costs the watched, what was lost, how late the figures are."""
    cost, transport = state["cost"], state["transport"]
    interval_ms = state["snapshot_interval_s"] * 1000
    mean, most = cost["snapshot_cpu_ms_mean"], cost["snapshot_cpu_ms_max"]
    lost = state["snapshots_dropped"] + (transport.get("lost") or 0)
    return [
        Line(
            label=_("Census pause"),
            value=formats.milliseconds(cost["census_pause_ms_max"]),
            hint=_("the longest; %s on average") % formats.milliseconds(cost["census_pause_ms_mean"])
            if cost["census_pause_ms_max"] is not None
            else _("none of the last snapshots took a census"),
        ),
        Line(
            label=_("CPU per process"),
            value=_share(mean, interval_ms),
            hint=_("at most %s") % formats.percent(None if most is None else most / interval_ms * 100),
        ),
        Line(label=_("Lag"), value=formats.duration(state["lag_s"]), hint=_("since the newest report")),
        Line(
            label=_("Waiting to be stored"),
            value=formats.count(transport.get("backlog")),
            hint=_("the oldest for %s") % formats.duration(transport["oldest_s"]) if transport.get("oldest_s") else "",
        ),
        Line(label=_("Snapshots stored"), value=formats.count(state["snapshots_stored"])),
        Line(
            label=_("Lost"),
            value=formats.count(lost),
            hint=_("dropped by agents, or trimmed before they were read"),
            tone="medium" if lost else "",
        ),
        Line(
            label=_("Reports rejected"),
            value=formats.count(state["reports_rejected"]),
            url=formats.changelist("rejectedreport"),
            tone="medium" if state["reports_rejected"] else "",
        ),
    ]


def cost_problem(state: Mapping[str, Any]) -> str:
    """What keeps figures from arriving, and what to look at; empty where nothing does."""
    transport, lag = state["transport"], state["lag_s"]
    if not transport["available"]:
        return _("The transport cannot be reached: %s") % str(transport.get("problem", ""))
    late = get_settings().silent_after_s
    if lag is not None and lag > late and transport.get("backlog"):
        return _("Reports are waiting to be stored. Check that beat and a worker run, or memwatch_work.")
    if lag is not None and lag > late and state["processes_alive"]:
        return _(
            "No process has reported for %s. Check that the processes run and use the same transport."
        ) % formats.duration(lag)
    return ""


def _share(cpu_ms: float | None, interval_ms: float) -> str:
    return formats.NOT_MEASURED if cpu_ms is None else _("%s %% of a CPU") % f"{cpu_ms / interval_ms * 100:.2f}"


def spark(past: Recent | None, members: int) -> SafeString:
    """The last hours of a service as a sparkline; ``members`` is how many processes it has."""
    if past is None:
        return SafeString("")
    text = _("RSS of a process over %(span)s: from %(first)s to %(last)s, at most %(most)s") % {
        "span": formats.duration(past.span_s),
        "first": formats.megabytes(past.rss_mb[0]),
        "last": formats.megabytes(past.rss_mb[-1]),
        "most": formats.megabytes(max(past.rss_mb)),
    }
    if past.looked_at < members:
        text += _(" (%(some)s of %(all)s processes)") % {"some": past.looked_at, "all": members}
    return sparkline(past.rss_mb, text)


def _total(sizes: Iterable[int | None]) -> float | None:
    """In MB, of those known."""
    known = [size for size in sizes if size is not None]
    return sum(known) / KIB_PER_MB if known else None
