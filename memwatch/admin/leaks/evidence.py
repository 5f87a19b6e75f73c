"""The evidence of a verdict in plain words, and its statistics apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch.admin import formats
from memwatch.admin.panels import Line
from memwatch.detection.confidence.probability import in_words
from memwatch.models import Leak

WHAT: dict[str, Promise] = {
    Leak.Kind.UNTRACKED: gettext_lazy("objects that the garbage collector does not track, such as str and bytes"),
    Leak.Kind.NATIVE: gettext_lazy("memory outside Python's objects, as extension modules allocate it"),
}
WINDOWS = {
    "hour": gettext_lazy("in the snapshots of the last hour"),
    "day": gettext_lazy("at the lowest points of the last day"),
    "week": gettext_lazy("at the lowest points of the last week"),
    "lives": gettext_lazy("over several lives of the process"),
}
LIMITS = {
    "setting": gettext_lazy("the limit set by HEAP_LIMIT_MB"),
    "cgroup": gettext_lazy("the container's limit"),
    "rlimit": gettext_lazy("the process's own limit"),
    "host": gettext_lazy("the host's memory"),
}
MEASURED = {"rss_mb": gettext_lazy("RSS"), "heap_used_mb": gettext_lazy("heap in use")}
EVIDENCE_DEPTH = 3
SHORT_LIST = 12
MOST_NAMED = 8


def _part(evidence: Any, name: str) -> Mapping[str, Any]:
    found = evidence.get(name) if isinstance(evidence, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def unit_of(leak: Leak) -> str:
    """What the leak's counts count, as the verdict has it; empty where it says nothing."""
    unit = _part(leak.evidence, "statistics").get("unit")
    return unit if isinstance(unit, str) else ""


def name_of(leak: Leak) -> str:
    """The type; the kind for memory that has no type."""
    return leak.what


def held_in(leak: Leak) -> str:
    """The name of what holds it, such as ``shop.leaks.FRAGMENTS``; empty where that is unknown."""
    name = _part(leak.evidence, "container").get("name")
    return name if isinstance(name, str) else ""


def token_of(leak: Leak) -> int | None:
    """What the census knows the container by that holds it, where its entries were judged."""
    token = _part(leak.evidence, "container").get("token")
    return token if isinstance(token, int) and unit_of(leak) == "entries" else None


def amount(leak: Leak, value: int | None) -> str:
    """One of its counts in its own unit."""
    return formats.leak_amount(leak.kind, value, unit_of(leak))


def growth(leak: Leak, value: float | None) -> str:
    """The growth with its sign and unit."""
    return formats.leak_growth(leak.kind, None if value is None else round(value), unit_of(leak))


def grows_with(leak: Leak) -> str:
    """The types that grow in step with it; empty for none."""
    return _names(leak.evidence.get("grows_with")) if isinstance(leak.evidence, Mapping) else ""


def extension_modules(leak: Leak) -> str:
    """The loaded ones that may hold native memory; empty where that is not the question."""
    return _names(leak.evidence.get("extension_modules")) if isinstance(leak.evidence, Mapping) else ""


def memory_rate(leak: Leak) -> str:
    """How the floor of the process's memory grows; empty where it was not measured."""
    return _memory(_part(leak.evidence, "statistics"))


def readable(leak: Leak, now: datetime) -> list[Line]:
    """What was judged and where it leads."""
    evidence = leak.evidence if isinstance(leak.evidence, Mapping) else {}
    statistics = _part(evidence, "statistics")
    found: list[tuple[str, str | SafeString, str]] = [
        (_("Data judged"), *_looked_at(evidence, statistics)),
        (_("Probability"), *_probability(leak)),
        (_("Limit"), *_limit(leak, statistics, now)),
        (_("Since then"), *_quiet(evidence, now)),
    ]
    return [Line(label=label, value=value, hint=hint) for label, value, hint in found if value]


def what_grows(leak: Leak) -> str | SafeString:
    """The type, or what memory without a type is."""
    if leak.kind in WHAT:
        return capfirst(str(WHAT[leak.kind]))
    return format_html(_("Objects of the type {}"), formats.type_name(leak.object_type))


def _looked_at(evidence: Mapping[str, Any], statistics: Mapping[str, Any]) -> tuple[str, str]:
    points, span = statistics.get("points"), statistics.get("span_s")
    if not isinstance(points, int):
        return "", ""
    text = ngettext("%s point", "%s points", points) % formats.count(points)
    if isinstance(span, int | float):
        text = _("%(points)s over %(span)s") % {"points": text, "span": formats.duration(span)}
    return text, str(WINDOWS.get(str(evidence.get("window")), ""))


def _probability(leak: Leak) -> tuple[str, str]:
    if leak.probability is None:
        return "", ""
    return in_words(leak.probability), _("measured on programs and series whose answer is known, half of which leak")


def held(leak: Leak) -> tuple[str | SafeString, str]:
    """The container that holds it, and what is known of that; empty where none was seen."""
    container = _part(leak.evidence, "container")
    if not container:
        return "", ""
    kind = str(container.get("type") or _("container"))
    name = held_in(leak)
    text = format_html(_("the {} {}"), kind, formats.type_name(name)) if name else _("a %s without a name") % kind
    length, holds, entry = container.get("length"), container.get("holds"), container.get("entry_bytes")
    said = []
    if isinstance(length, int):
        said.append(ngettext("%s entry", "%s entries", length) % formats.count(length))
    if holds:
        said.append(_("mostly %s") % holds)
    if isinstance(entry, int | float):
        said.append(_("about %s bytes each") % formats.count(round(entry)))
    return text, ", ".join(said)


def _names(value: Any) -> str:
    names = [str(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else []
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (_(" and %d more") % more if more > 0 else "")


def _memory(statistics: Mapping[str, Any]) -> str:
    rate, measured = statistics.get("floor_growth_percent_per_hour"), MEASURED.get(str(statistics.get("floor_of")))
    if not isinstance(rate, int | float) or measured is None:
        return ""
    words = {"figure": measured, "rate": formats.signed_percent(rate)}
    return _("the lowest points of its %(figure)s rise by %(rate)s an hour") % words


def _limit(leak: Leak, statistics: Mapping[str, Any], now: datetime) -> tuple[str, str]:
    limit, left = LIMITS.get(str(statistics.get("limit_source"))), leak.time_left_s(now)
    if left is None:
        return "", ""
    words = {"limit": limit or _("the limit"), "time": formats.duration(left)}
    return _("%(limit)s is exhausted in %(time)s") % words, _("at the current rate")


def moment(value: Any) -> datetime | None:
    """A time as evidence keeps it; ``None`` for anything else."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _quiet(evidence: Mapping[str, Any], now: datetime) -> tuple[str | SafeString, str]:
    since = moment(_part(evidence, "follow_up").get("quiet_since"))
    if since is None:
        return "", ""
    return format_html(_("judged no longer a leak, {}"), formats.when(since, now)), _(
        "memwatch resolves it if this lasts"
    )


def statistics_lines(evidence: Mapping[str, Any], *, depth: int = EVIDENCE_DEPTH, prefix: str = "") -> list[Line]:
    """Everything by its own name, figures rounded; long series are left to the raw form."""
    lines: list[Line] = []
    for key, value in evidence.items():
        label = f"{prefix}{str(key).replace('_', ' ')}"
        if isinstance(value, Mapping):
            if depth > 1:
                lines += statistics_lines(value, depth=depth - 1, prefix=f"{label}: ")
        elif (text := _value_text(value)) is not None:
            lines.append(Line(label=label, value=text))
    return lines


def _value_text(value: Any) -> str | None:
    """The value in words; ``None`` for what only the raw form can show."""
    if isinstance(value, list | tuple):
        short = len(value) <= SHORT_LIST and all(isinstance(item, str | int | float) for item in value)
        return (", ".join(map(_scalar_text, value)) or _("none")) if short else None
    return _scalar_text(value)


def _scalar_text(value: Any) -> str:
    if value is None:
        return _("not measured")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int):
        return formats.count(value)
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else formats.count(round(value))
    return str(value)
