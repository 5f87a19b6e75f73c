"""The pieces of the pages: tiles, lists of figures, tables, as values that the templates only print."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch import queries
from memwatch.admin import formats
from memwatch.conf import get_settings
from memwatch.records import FIGURES, BigContainer, DriftReport, MemorySnapshot
from memwatch.records.figure import Figure, Unit

SHOWN_TYPES = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
    """A figure with its name, and what there is to say beside it."""

    label: str | Promise
    value: str | SafeString
    hint: str | Promise = ""
    url: str = ""
    tone: str = ""
    """``medium``, ``high`` or ``critical`` where it wants to be seen."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """A place in a table: text, or a figure that sorts by its value."""

    text: str | SafeString
    sort: str = ""
    is_number: bool = False
    direction: str = ""
    """``up`` for growth that is news."""


def figure(text: str | SafeString, value: float | None, direction: str = "") -> Cell:
    """A figure in a column of figures."""
    sort = "" if value is None else f"{value:.10g}"
    return Cell(text=text, sort=sort, is_number=True, direction=direction)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """What belongs to the row. A heading is right-aligned where the cells below it are figures."""

    title: str
    names: Sequence[str]
    cells: Sequence[Sequence[Cell | str]]
    empty: str = ""
    """Why it may have no row."""
    note: str = ""

    @property
    def rows(self) -> list[list[Cell]]:
        return [[each if isinstance(each, Cell) else Cell(text=each) for each in row] for row in self.cells]

    @property
    def heads(self) -> list[Cell]:
        first = self.rows[0] if self.cells else []
        return [Cell(text=name, is_number=cell.is_number) for name, cell in zip(self.names, first, strict=False)]


LIMIT_SOURCES = {
    "setting": gettext_lazy("set by HEAP_LIMIT_MB"),
    "cgroup": gettext_lazy("the container's limit"),
    "rlimit": gettext_lazy("the process's rlimit"),
    "host": gettext_lazy("the host's memory"),
}


def _triple(values: tuple[int, int, int] | None) -> str:
    return formats.NOT_MEASURED if values is None else ", ".join(formats.count(value) for value in values)


SHOWN: Mapping[Unit, Callable[[Any], str]] = {
    Unit.MB: formats.megabytes,
    Unit.PERCENT: formats.percent,
    Unit.MS: formats.milliseconds,
    Unit.SECONDS: formats.took,
    Unit.COUNT: formats.count,
    Unit.TOTAL: formats.count,
    Unit.NONE: _triple,
}
SIGNED: Mapping[Unit, Callable[[float | None], str]] = {
    Unit.MB: formats.signed_megabytes,
    Unit.PERCENT: formats.signed_percent,
    Unit.SECONDS: formats.signed_took,
    Unit.COUNT: formats.signed_count,
    Unit.TOTAL: formats.signed_count,
}
_SIZES = (Unit.MB, Unit.PERCENT)


def direction(row: queries.Row) -> str:
    """``up`` for growth beyond the thresholds of a leak, else empty: a few objects more are no news."""
    if row.difference is None or row.percent is None:
        return ""
    settings = get_settings()
    much = row.difference > settings.leak_min_growth_count and row.percent > settings.leak_min_growth_percent
    return "up" if much else ""


def now_tiles(figures: MemorySnapshot | None, drift: DriftReport | None) -> list[Line]:
    """The handful of figures that answer "how is it?"."""
    if figures is None:
        return []
    tiles = [
        Line(
            label=_("RSS"),
            value=formats.megabytes(figures.rss_mb),
            hint=_since(formats.signed_megabytes(drift.rss_drift_mb)) if drift else "",
        ),
        Line(
            label=_("Heap used"),
            value=formats.megabytes(figures.heap_used_mb),
            hint=_since(formats.signed_megabytes(drift.heap_drift_mb)) if drift else "",
        ),
        Line(
            label=_("Heap limit used"),
            value=formats.percent(figures.heap_percent),
            hint=_("of %s") % formats.megabytes(figures.heap_size_mb) if figures.heap_size_mb is not None else "",
        ),
        Line(
            label=_("Objects"),
            value=formats.count(figures.total_objects),
            hint=_since(formats.signed_count(drift.object_drift)) if drift else "",
        ),
    ]
    if figures.cgroup_limit_mb:
        used = None if figures.cgroup_used_mb is None else figures.cgroup_used_mb / figures.cgroup_limit_mb * 100
        tiles.append(
            Line(
                label=_("Container limit used"),
                value=formats.percent(used),
                hint=_("of %s, shared") % formats.megabytes(figures.cgroup_limit_mb),
            )
        )
    return tiles


def _since(difference: str) -> str:
    return "" if difference == formats.NOT_MEASURED else _("%s since the baseline") % difference


def memory_lines(figures: MemorySnapshot) -> list[Line]:
    """Every size of a snapshot, and the last seconds before it where the limit was near."""
    lines = [_line(figure, figures) for figure in _listed(figures) if figure.unit in _SIZES]
    return [*lines, *_seconds_line(figures)]


def _seconds_line(figures: MemorySnapshot) -> list[Line]:
    seconds = figures.rss_seconds or ()
    if not seconds:
        return []
    sizes = [mb for _ago, mb in seconds]
    text = _("from %(first)s to %(last)s, at most %(most)s") % {
        "first": formats.megabytes(sizes[0]),
        "last": formats.megabytes(sizes[-1]),
        "most": formats.megabytes(max(sizes)),
    }
    picture = formats.sparkline(sizes, text)
    hint = _("the %d s before the snapshot, each second") % round(seconds[0][0])
    return [Line(label=_("Resident near the limit"), value=format_html("{} {}", picture, text), hint=hint)]


def object_lines(figures: MemorySnapshot) -> list[Line]:
    """Objects, collections, work done and what watching costs."""
    return [_line(figure, figures) for figure in _listed(figures) if figure.unit not in _SIZES]


def _listed(figures: MemorySnapshot) -> Iterator[Figure]:
    """Those with a label; without the zeros of what is switched off."""
    for figure in FIGURES.values():
        if figure.label and (figure.default is None or getattr(figures, figure.name)):
            yield figure


def _line(figure: Figure, figures: MemorySnapshot) -> Line:
    hint: str | Promise = _(figure.hint) if figure.hint else ""
    if figure.name == "heap_size_mb":
        hint = LIMIT_SOURCES.get(figures.heap_limit_source or "", "")
    return Line(label=_(figure.label), value=SHOWN[figure.unit](getattr(figures, figure.name)), hint=hint)


def types_now(
    comparison: queries.Comparison | None, figures: MemorySnapshot, *, title: str, leaking: Iterable[str] = ()
) -> Table:
    """The types of a snapshot against its baseline, the leaking ones first, then those that grew most.

    Without a comparison the types alone, the most numerous first.
    """
    note = _("There are no counts by type: this snapshot took no census.")
    if comparison is None:
        counts = sorted((figures.top_objects or {}).items(), key=lambda item: -item[1])[:SHOWN_TYPES]
        alone: list[list[Cell | str]] = [
            [formats.type_name(name), figure(formats.count(count), count)] for name, count in counts
        ]
        return Table(title=title, names=[_("Type"), _("Objects")], cells=alone, empty=note)
    suspects = frozenset(leaking)
    rows = [row for row in comparison.types if row.after is not None and (row.after or row.before)]
    rows.sort(key=lambda row: row.name not in suspects)
    cells: list[list[Cell | str]] = []
    for row in rows[:SHOWN_TYPES]:
        before, after, *change = compared(row)
        name = formats.type_name(row.name)
        if row.name in suspects:
            name = format_html('{} <span class="mw-badge mw-state-open">{}</span>', name, _("leak"))
        cells.append([name, after, before, *change])
    names = [_("Type"), _("Objects"), _("At the baseline"), _("Difference"), "%"]
    return Table(title=title, names=names, cells=cells, empty=note)


def compared(row: queries.Row, unit: Unit = Unit.COUNT) -> list[Cell]:
    """A row of a comparison: before, after, the difference, and that in percent."""
    news = direction(row) if unit is Unit.COUNT else ""
    return [
        figure(SHOWN[unit](row.before), row.before),
        figure(SHOWN[unit](row.after), row.after),
        figure(SIGNED[unit](row.difference), row.difference, news),
        figure(formats.signed_percent(row.percent), row.percent, news),
    ]


def contents(kind: str, holds: Any) -> str:
    """``dict of str``."""
    return _("%(type)s of %(holds)s") % {"type": kind, "holds": holds} if holds else kind


def container_table(containers: Sequence[BigContainer] | None) -> Table:
    """The largest containers that a census has met."""
    return Table(
        title=_("Big containers"),
        names=[_("Container"), _("Name"), _("Entries"), _("Size of an entry")],
        cells=[
            [
                formats.type_name(contents(each.type, each.holds)),
                formats.type_name(each.name or ""),
                figure(formats.count(each.length), each.length),
                figure(_bytes(each.entry_bytes), each.entry_bytes),
            ]
            for each in containers or ()
        ],
    )


def _bytes(size: float | None) -> str:
    return "" if size is None else _("%s bytes") % formats.count(round(size))


def raw_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
