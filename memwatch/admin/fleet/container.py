"""The container of a process on its page and on that of its alert: what its memory is, and what else runs in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats, panels
from memwatch.admin.panels import Line
from memwatch.detection.surroundings.container import page_cache_mb, sentences
from memwatch.queries.processes.surroundings import Container
from memwatch.records.surroundings import Pressure, Surroundings

_PARTS: tuple[tuple[str, str | Promise, str | Promise], ...] = (
    ("used_mb", gettext_lazy("Used"), gettext_lazy("page cache included")),
    ("limit_mb", gettext_lazy("Limit"), ""),
    ("peak_mb", gettext_lazy("Peak"), gettext_lazy("since the container was made")),
    ("anon_mb", gettext_lazy("Anonymous memory"), gettext_lazy("heaps and stacks of processes")),
    ("kernel_mb", gettext_lazy("Kernel memory"), gettext_lazy("slab, page tables, stacks, sockets")),
    ("slab_mb", gettext_lazy("Slab"), gettext_lazy("part of kernel memory")),
    ("sock_mb", gettext_lazy("Sockets"), gettext_lazy("buffers of connections")),
    ("shmem_mb", gettext_lazy("Shared memory and tmpfs"), gettext_lazy("only deleting it frees it")),
    ("watched_mb", gettext_lazy("Watched processes"), gettext_lazy("sum of their PSS")),
    ("unwatched_mb", gettext_lazy("Other processes"), ""),
)


def panel(found: Container | None, now: datetime) -> Mapping[str, Any] | None:
    """What the template shows; ``None`` for a process whose container is not known."""
    if found is None:
        return None
    return {
        "sentences": sentences(found.figures),
        "lines": _lines(found.figures),
        "others": _others(found.figures),
        "reported": format_html(
            _("Reported by {} {}."), formats.link_to(found.reporter), formats.when(found.received_at, now)
        ),
    }


def _lines(figures: Surroundings) -> list[Line]:
    lines = [
        Line(label=label, value=formats.megabytes(value), hint=hint)
        for name, label, hint in _PARTS
        if (value := getattr(figures, name)) is not None
    ]
    cache = page_cache_mb(figures)
    if cache is not None:
        hint = _("the kernel gives it back when it is needed")
        lines.insert(3, Line(label=_("Page cache"), value=formats.megabytes(cache), hint=hint))
    if figures.pressure is not None:
        lines.append(_pressure(figures.pressure))
    return lines


def _pressure(pressure: Pressure) -> Line:
    return Line(
        label=_("Waiting for memory"),
        value=formats.percent(pressure.some_60),
        hint=_("of the last minute; %(ten)s of the last 10 s; all processes: %(full)s")
        % {"ten": formats.percent(pressure.some_10), "full": formats.percent(pressure.full_60)},
    )


def _others(figures: Surroundings) -> panels.Table:
    more = figures.unwatched - len(figures.largest)
    return panels.Table(
        title=_("Processes of the container that memwatch does not watch"),
        names=[_("Name"), _("Pid"), _("RSS"), _("PSS")],
        cells=[
            [
                each.name,
                panels.figure(str(each.pid), each.pid),
                panels.figure(formats.megabytes(each.rss_mb), each.rss_mb),
                panels.figure(formats.megabytes(each.pss_mb), each.pss_mb),
            ]
            for each in figures.largest
        ],
        note=_("The largest; %s more are smaller.") % formats.count(more) if more > 0 else "",
    )
