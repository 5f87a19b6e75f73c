"""The pages of recordings as values: chains that a person reads, lines that allocate, tables of a heap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch.admin import formats
from memwatch.admin.panels import Line
from memwatch.models import Recording, RecordingKind
from memwatch.queries.recordings import ARROW, conclude, container_of, number, place, rows

MOST_ROWS = 40
MOST_SUSPECTS = 15
"""Agents name the suspicious first."""


def context(recording: Recording, result: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the page of one recording shows of its result."""
    reader = _READERS.get(recording.kind)
    shown = reader(result) if reader is not None and result is not None else {}
    return {"result": shown, "notes": [str(note) for note in (result or {}).get("notes") or []][:MOST_ROWS]}


def conclusion(group: list[Recording]) -> list[Line]:
    """The sentences that a group of recordings comes down to."""
    found = conclude(group, container_of(group[0].leak) if group else "")
    lines = [Line(label=_("The heap says"), value=found.finding)] if found.finding else []
    if found.your_code:
        label = _("Most likely your code") if found.sure else _("Perhaps your code")
        value = f"{found.your_code}, {found.attribute}" if found.attribute else found.your_code
        lines.append(Line(label=label, value=value, hint=found.your_code_line))
    if found.held_by:
        label = _("Held by") if found.sure is not False else _("Perhaps held by")
        lines.append(Line(label=label, value=found.held_by, hint=found.certainty))
    lines += [Line(label=_("Or held by"), value=each) for each in found.others]
    if found.allocated_at:
        lines.append(Line(label=_("Allocated at"), value=found.allocated_at, hint=found.code))
    if found.called_from:
        lines.append(Line(label=_("Called from"), value=found.called_from, hint=found.caller_code))
    return lines


def facts(recording: Recording) -> list[Any]:
    """The subject, the reason, the time and the user."""
    found: list[Any] = [formats.link(formats.page_url("process", recording.process_id), str(recording.process))]
    if recording.leak is not None:
        found.append(formats.link(formats.page_url("leak", recording.leak_id), str(recording.leak.object_type)))
    elif recording.object_type:
        found.append(recording.object_type)
    found.append(_("by %s") % recording.asked_by)
    found.append(formats.when(recording.requested_at))
    return found


def costs(recording: Recording) -> list[Line]:
    """Cost to the process, as the process measured it."""
    measured = recording.measured if isinstance(recording.measured, Mapping) else {}
    lines = []
    for name, label, shown in (
        ("duration_s", _("Took"), formats.duration),
        ("cpu_ms", _("CPU"), formats.milliseconds),
        ("longest_pause_ms", _("Longest pause"), formats.milliseconds),
        ("rss_added_mb", _("Memory added"), formats.megabytes),
        ("child_cpu_ms", _("CPU of its copies"), formats.milliseconds),
        ("child_mb", _("Memory of a copy"), formats.megabytes),
    ):
        if name in measured:
            lines.append(Line(label=label, value=str(shown(number(measured[name])))))
    if recording.size:
        lines.append(Line(label=_("Size"), value=size(recording.size / 1024)))
    return lines


def files(recording: Recording) -> list[dict[str, str]]:
    """What can be downloaded of it."""
    if recording.state != Recording.State.DONE:
        return []
    forms = {"json": _("JSON")}
    if recording.kind == RecordingKind.FLAMEGRAPH:
        forms = {
            "html": _("The flame graph as a page"),
            "txt": _("Collapsed stacks, for other tools"),
            "bin": _("The capture, for memray"),
        }
    return [
        {"label": label, "url": reverse("admin:memwatch_recording_download", args=(recording.pk, form))}
        for form, label in forms.items()
    ]


def _referrers(result: Mapping[str, Any]) -> dict[str, Any]:
    chains = sorted(rows(result, "chains"), key=lambda chain: -number(chain.get("count")))
    holder, new = result.get("holder"), result.get("new_since_baseline")
    return {
        "instances": formats.count(int(number(result.get("instances")))),
        "new": "" if new is None else formats.signed_count(int(number(new))),
        "chains": [
            {
                "path": [str(step) for step in chain.get("path") or []],
                "count": formats.count(int(number(chain.get("count")))),
                "root": str(chain.get("root") or ""),
            }
            for chain in chains[:MOST_ROWS]
        ],
        "holder": _holder(holder) if isinstance(holder, Mapping) else None,
        "garbage": _garbage(result),
        "referrers": [
            {
                "holder": str(row.get("holder_type", "")),
                "via": str(row.get("via", "")),
                "count": formats.count(int(number(row.get("count")))),
            }
            for row in rows(result, "referrers")[:MOST_ROWS]
        ],
        "samples": [
            ", ".join(f"{name} = {value}" for name, value in sample.items())
            for sample in rows(result, "samples")[:MOST_ROWS]
        ],
    }


def _garbage(result: Mapping[str, Any]) -> str:
    """How many are garbage, or why that is not known; empty in the result of an older agent."""
    found = result.get("garbage")
    if not isinstance(found, Mapping):
        return ""
    if found.get("count") is None:
        return _("Whether they are garbage is not known: %s.") % (found.get("unknown") or "?")
    said = _("%s of them are garbage.") % formats.count(int(number(found.get("count"))))
    if frozen := int(number(found.get("frozen"))):
        said += " " + _("%s are frozen (gc.freeze()): no collection looks at them.") % formats.count(frozen)
    return said


def _holder(holder: Mapping[str, Any]) -> str:
    kept = size(number(holder.get("retained_kb")))
    text = str(holder.get("name") or holder.get("type") or "")
    if holder.get("length") is not None and "(" not in text:
        length = int(number(holder["length"]))
        entries = ngettext("%s entry", "%s entries", length) % formats.count(length)
        text = f"{text} ({holder.get('type', '')}, {entries})"
    least = _("%(holder)s keeps at least %(size)s alive.")
    exact = _("%(holder)s keeps %(size)s alive.")
    return (least if holder.get("retained_is_lower_bound") else exact) % {"holder": text, "size": kept}


def _allocations(result: Mapping[str, Any]) -> dict[str, Any]:
    sites = sorted(rows(result, "sites"), key=lambda site: site.get("of_type") is not True)[:MOST_ROWS]
    return {
        "seconds": formats.duration(number(result.get("seconds"))),
        "traced": formats.megabytes(number(result.get("traced_mb"))),
        "sites": [
            {
                "place": place(site),
                "code": str(site.get("code") or ""),
                "called_from": str(site.get("called_from") or ""),
                "caller_code": str(site.get("caller_code") or ""),
                "growth": size(number(site.get("size_growth_kb_per_min"))),
                "size": size(number(site.get("size_kb"))),
                "count": formats.count(int(number(site.get("count")))),
                "of_type": site.get("of_type") is True,
                "traceback": [str(line) for line in site.get("traceback") or []],
            }
            for site in sites
        ],
    }


def _heap_summary(result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "types": [
            {
                "name": str(row.get("type", "")),
                "count": formats.count(int(number(row.get("count")))),
                "size": size(number(row.get("size_kb"))),
                "error": ("" if row.get("size_error_kb") is None else f"± {size(number(row['size_error_kb']))}"),
            }
            for row in rows(result, "types")[:MOST_ROWS]
        ],
        "containers": [
            {
                "name": str(row.get("name") or _("without a name")),
                "what": _("%(type)s of %(holds)s") % {"type": row.get("type", ""), "holds": row.get("holds")}
                if row.get("holds")
                else str(row.get("type", "")),
                "length": formats.count(int(number(row.get("length")))),
            }
            for row in rows(result, "containers")[:MOST_ROWS]
        ],
        "modules": [
            {
                "name": str(row.get("module", "")),
                "count": formats.count(int(number(row.get("count")))),
                "size": size(number(row.get("size_kb"))),
            }
            for row in rows(result, "modules")[:MOST_ROWS]
        ],
        "suspects": [
            {
                "name": str(row.get("name", "")),
                "count": formats.count(int(number(row.get("count")))),
                "advice": str(row.get("advice") or ""),
            }
            for row in rows(result, "suspects")[:MOST_SUSPECTS]
        ],
        "garbage": formats.count(int(number(result.get("garbage")))),
        "threads": [str(name) for name in result.get("threads") or []][:MOST_ROWS],
    }


def difference(found: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`memwatch.queries.recordings.difference_of` gives, as lines and tables."""
    figures = found.get("figures") or {}
    return {
        "figures": [
            Line(label=_word(name), value=_shown(name, change.get("change"), signed=True), hint=_from_to(name, change))
            for name, change in figures.items()
        ],
        "tables": [_difference_table(name, table) for name, table in (found.get("tables") or {}).items()],
    }


def _difference_table(name: str, table: list[Mapping[str, Any]]) -> dict[str, Any]:
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
    "referrers": gettext_lazy("What refers to them directly"),
    "chains": gettext_lazy("Who holds them"),
    "sites": gettext_lazy("Lines that allocate"),
    "types": gettext_lazy("Types"),
    "containers": gettext_lazy("Containers"),
    "modules": gettext_lazy("Packages"),
    "suspects": gettext_lazy("The usual suspects"),
    "size_kb": gettext_lazy("size"),
    "size_growth_kb_per_min": gettext_lazy("growth a minute"),
    "traced_mb": gettext_lazy("traced"),
    "holder_type": gettext_lazy("type"),
    "holder.length": gettext_lazy("entries of the holder"),
    "holder.retained_kb": gettext_lazy("kept alive by the holder"),
    "module": gettext_lazy("package"),
    "via": gettext_lazy("by"),
}


def size(kib: float) -> str:
    """Small ones in KB: a line of code may allocate little and leak for ever."""
    return f"{formats.count(round(kib))} KB" if abs(kib) < 1024 else formats.kib(int(kib))


_READERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    RecordingKind.REFERRERS: _referrers,
    RecordingKind.ALLOCATIONS: _allocations,
    RecordingKind.HEAP_SUMMARY: _heap_summary,
}
