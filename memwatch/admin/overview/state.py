"""What the overview says while no leak explains what is seen: green only where every process is known not to leak."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch.admin import formats
from memwatch.conf import get_settings
from memwatch.detection.rules.gates import WATCH_POINTS
from memwatch.detection.surroundings.container import filled_percent, headline
from memwatch.queries import Glance, LeakGlance
from memwatch.queries.processes.surroundings import Container
from memwatch.records import KIB_PER_MB

SHOWN_CONTAINERS = 3
SHOWN_GROWING = 3
"""Growing processes named one by one, the fastest first."""
OFTEN_ENOUGH = 1.5
"""Snapshot intervals between two censuses from which the page says why there are so few."""


def unknown(items: Sequence[Glance]) -> list[Glance]:
    """Those with an agent whose objects were not yet counted often enough to say whether they leak."""
    return [item for item in items if not item.leaks_known and not item.outside]


def tone(items: Sequence[Glance], silent: int) -> str:
    """The colour of the headline while no leak is open."""
    if any(item.growing_since for item in items):
        return "medium"
    return "" if silent == len(items) or unknown(items) else "good"


def no_open_leak(items: Sequence[Glance]) -> SafeString:
    """The headline while no leak is open."""
    if any(item.growing_since for item in items):
        return SafeString(_("No leak is open, but memory grows."))
    not_known = unknown(items)
    if not_known:
        text = ngettext(
            "No leak is open yet: %(some)s of %(all)s processes has too few counts of its objects to be sure.",
            "No leak is open yet: %(some)s of %(all)s processes have too few counts of their objects to be sure.",
            len(not_known),
        ) % {"some": formats.count(len(not_known)), "all": formats.count(len(items))}
        return format_html("{}", text)
    text = ngettext(
        "Nothing leaks: %s process is watched and no leak is open.",
        "Nothing leaks: %s processes are watched and no leak is open.",
        len(items),
    ) % formats.count(len(items))
    return format_html("{}", text)


def unexplained(items: Sequence[Glance], leaks: Sequence[LeakGlance], now: datetime) -> list[SafeString]:
    """Growth that no leak explains, and why some processes are not known yet; a sentence each."""
    explained = {leak.process_id for leak in leaks}
    leaking_services = {leak.service_id for leak in leaks if leak.process_id is None}
    growing = [
        item
        for item in items
        if item.growing_since and item.pk not in explained and item.service_id not in leaking_services
    ]
    growing.sort(key=lambda item: -(item.growth_kib_per_hour or 0))
    lines = [_growth(item, now) for item in growing[:SHOWN_GROWING]]
    if len(growing) > SHOWN_GROWING:
        more = len(growing) - SHOWN_GROWING
        text = ngettext("%s more process grows.", "%s more processes grow.", more) % formats.count(more)
        lines.append(format_html("{}", text))
    not_known = unknown(items)
    if not_known:
        lines.append(_not_known(not_known))
    return lines


def full(found: Sequence[Container]) -> list[SafeString]:
    """Containers over the warning threshold, the fullest first, and what fills each."""
    warning = get_settings().heap_warning_percent
    shares = [(share, each) for each in found if (share := filled_percent(each.figures) or 0.0) >= warning]
    shares.sort(key=lambda item: -item[0])
    return [
        format_html(
            _("The container of {} on {} is {} full. {}"),
            formats.link(formats.page_url("process", each.reporter.pk), each.reporter.slot),
            each.host,
            formats.percent(share),
            headline(each.figures),
        )
        for share, each in shares[:SHOWN_CONTAINERS]
    ]


def _growth(item: Glance, now: datetime) -> SafeString:
    why = (
        _("no object type explains it yet")
        if item.leaks_known
        else _("its objects have not been counted often enough to say why")
    )
    return format_html(
        _("{} grows by {} an hour since {}; {}."),
        formats.link(formats.page_url("process", item.pk), item.slot),
        formats.megabytes((item.growth_kib_per_hour or 0) / KIB_PER_MB),
        formats.when(item.growing_since, now),
        why,
    )


def _not_known(items: Sequence[Glance]) -> SafeString:
    """How many, how often they are counted, and what to do where that is seldom."""
    interval = get_settings().snapshot_interval
    text = ngettext(
        "%(some)s process has no verdict yet: that needs %(points)s counts of its objects.",
        "%(some)s processes have no verdict yet: that needs %(points)s counts of their objects.",
        len(items),
    ) % {"some": formats.count(len(items)), "points": WATCH_POINTS}
    seldom = max(items, key=lambda item: item.census_interval_s or 0.0)
    if (seldom.census_interval_s or 0.0) <= OFTEN_ENOUGH * interval:
        return format_html("{}", text)
    return format_html("{} {}", text, census_pace(seldom.slot, seldom.census_interval_s or 0.0, seldom.census_cpu_ms))


def census_pace(slot: str, every_s: float, cpu_ms: float | None) -> str:
    """How often a process is counted, and why not with each snapshot."""
    text = _("%(slot)s is counted every %(every)s") % {"slot": slot, "every": formats.duration(every_s)}
    if cpu_ms is None:
        return f"{text}."
    return _("%(text)s: one count takes %(cost)s of CPU and CPU_BUDGET_PERCENT allows %(budget)s %% of a core.") % {
        "text": text,
        "cost": formats.milliseconds(cpu_ms),
        "budget": f"{get_settings().cpu_budget_percent:g}",
    }
