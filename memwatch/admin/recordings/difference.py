"""What lies between two recordings, as lines and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.admin.panels import Line
from memwatch.admin.recordings.pages import MOST_ROWS, size
from memwatch.queries.diagnosis.recordings import ARROW, number


def tables_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`memwatch.queries.diagnosis.recordings.difference_of` gives, as lines and tables."""
    figures = found.get("figures") or {}
    return {
        "figures": [
            Line(label=_word(name), value=_shown(name, change.get("change"), signed=True), hint=_from_to(name, change))
            for name, change in figures.items()
        ],
        "tables": [_table(name, table) for name, table in (found.get("tables") or {}).items()],
    }


def _table(name: str, table: list[Mapping[str, Any]]) -> dict[str, Any]:
    plain: list[str] = []
    compared: list[str] = []
    for key, value in (table[0] if table else {}).items():
        (compared if isinstance(value, Mapping) else plain).append(key)
    return {
        "name": _word(name),
        "plain": [_word(key) for key in plain],
        "compared": [_word(key) for key in compared],
        "rows": [
            {
                "plain": [_joined(row.get(key)) for key in plain],
                "changes": [
                    {"change": _shown(key, row[key].get("change"), signed=True), "from_to": _from_to(key, row[key])}
                    for key in compared
                ],
            }
            for row in table[:MOST_ROWS]
        ],
    }


def _joined(value: Any) -> str:
    return ARROW.join(map(str, value)) if isinstance(value, list) else str(value if value is not None else "")


def _from_to(name: str, change: Mapping[str, Any]) -> str:
    values = {"before": _shown(name, change.get("before")), "after": _shown(name, change.get("after"))}
    return _("%(before)s, then %(after)s") % values


def _shown(name: str, value: Any, *, signed: bool = False) -> str:
    amount = number(value)
    sign = "+" if signed and amount > 0 else ""
    if name.endswith(("_kb", "_kb_per_min")):
        return sign + size(amount)
    if name.endswith("_mb"):
        return sign + formats.megabytes(amount)
    return sign + (formats.decimal(amount) if amount != int(amount) else formats.count(int(amount)))


def _word(name: str) -> str:
    return str(_WORDS.get(name, name.replace("_", " ").replace(".", ", ")))


_WORDS = {
    "instances": gettext_lazy("instances"),
    "referrers": gettext_lazy("Direct referrers"),
    "chains": gettext_lazy("What keeps them alive"),
    "sites": gettext_lazy("Lines that allocate"),
    "types": gettext_lazy("Types"),
    "containers": gettext_lazy("Containers"),
    "modules": gettext_lazy("Packages"),
    "suspects": gettext_lazy("Usual causes"),
    "size_kb": gettext_lazy("size"),
    "size_growth_kb_per_min": gettext_lazy("growth per minute"),
    "traced_mb": gettext_lazy("traced"),
    "holder_type": gettext_lazy("type"),
    "holder.length": gettext_lazy("entries of the holder"),
    "retained_kb": gettext_lazy("free without the objects"),
    "holder.retained_kb": gettext_lazy("kept alive by the holder"),
    "module": gettext_lazy("package"),
    "arenas": gettext_lazy("Arenas of malloc"),
    "number": gettext_lazy("arena"),
    "system_mb": gettext_lazy("taken"),
    "free_mb": gettext_lazy("free"),
    "rss_before_mb": gettext_lazy("RSS before the call"),
    "rss_after_mb": gettext_lazy("RSS after the call"),
    "malloc_free_mb": gettext_lazy("free in malloc"),
    "pymalloc_used_mb": gettext_lazy("in use in pymalloc"),
    "pause_ms": gettext_lazy("milliseconds of the call"),
    "via": gettext_lazy("by"),
}
