"""The pieces of the pages: tiles, lists of figures, tables, as values that the templates only print."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.utils.functional import Promise
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
class TypeRow:
    """A type now against its baseline, as text."""

    name: str
    now: str
    before: str
    difference: str
    percent: str
    direction: str
    """``up`` or empty."""
    sort: Mapping[str, str]
    """``now``, ``before``, ``difference``, ``percent`` as a script sorts them; empty where unknown."""
    leaking: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """A place in a table: text, or a figure that sorts by its value."""

    text: str | SafeString
    sort: str = ""
    is_number: bool = False


def figure(text: str | SafeString, value: float | None) -> Cell:
    """A figure in a column of figures."""
    return Cell(text=text, sort="" if value is None else f"{value:.10g}", is_number=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """What belongs to the row. A heading is right-aligned where the cells below it are figures."""

    title: str
    names: Sequence[str]
    cells: Sequence[Sequence[Cell | str | SafeString]]
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
    Unit.COUNT: formats.count,
    Unit.TOTAL: formats.count,
    Unit.NONE: _triple,
}
SIGNED: Mapping[Unit, Callable[[float | None], str]] = {
    Unit.MB: formats.signed_megabytes,
    Unit.PERCENT: formats.signed_percent,
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
            label=_("Heap of its limit"),
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
                label=_("Container"),
                value=formats.percent(used),
                hint=_("of %s, shared") % formats.megabytes(figures.cgroup_limit_mb),
            )
        )
    return tiles


def _since(difference: str) -> str:
    return "" if difference == formats.NOT_MEASURED else _("%s since the baseline") % difference


def memory_lines(figures: MemorySnapshot) -> list[Line]:
    """Every size of a snapshot."""
    return [_line(figure, figures) for figure in _listed(figures) if figure.unit in _SIZES]


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


def type_rows(comparison: queries.Comparison, leaking: Iterable[str] = ()) -> list[TypeRow]:
    """The types reported now, the leaking ones first, then those that grew most; none that there are none of."""
    suspects = frozenset(leaking)
    rows = [row for row in comparison.types if row.after is not None and (row.after or row.before)]
    rows.sort(key=lambda row: row.name not in suspects)
    return [_type_row(row, leaking=row.name in suspects) for row in rows[:SHOWN_TYPES]]


def types_alone(figures: MemorySnapshot) -> list[TypeRow]:
    """Types of a snapshot without a baseline, the most numerous first."""
    counts = list((figures.top_objects or {}).items())
    counts.sort(key=lambda item: -item[1])
    return [
        _type_row(queries.Row(name=name, before=None, after=count, difference=None, percent=None))
        for name, count in counts[:SHOWN_TYPES]
    ]


def _type_row(row: queries.Row, *, leaking: bool = False) -> TypeRow:
    return TypeRow(
        name=row.name,
        now=formats.count(row.after),
        before=formats.count(row.before),
        difference=formats.signed_count(row.difference),
        percent=formats.signed_percent(row.percent),
        direction=direction(row),
        sort=sortable(row),
        leaking=leaking,
    )


def every_type(comparison: queries.Comparison) -> list[TypeRow]:
    """Every type reported on either side, the largest growth first; none that there are none of."""
    return [_type_row(row) for row in comparison.types if row.before or row.after]


def sortable(row: queries.Row) -> dict[str, str]:
    """The values of a row as a script sorts them."""
    return {
        "now": _plain(row.after),
        "before": _plain(row.before),
        "difference": _plain(row.difference),
        "percent": _plain(row.percent),
    }


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def contents(kind: str, holds: Any) -> str:
    """``dict of str``."""
    return _("%(type)s of %(holds)s") % {"type": kind, "holds": holds} if holds else kind


def container_rows(containers: Sequence[BigContainer] | None) -> list[dict[str, Any]]:
    return [
        {
            "what": contents(each.type, each.holds),
            "name": each.name or "",
            "length": formats.count(each.length),
            "entry": _("%s bytes") % formats.count(round(each.entry_bytes)) if each.entry_bytes is not None else "",
        }
        for each in containers or ()
    ]


def raw_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
