"""The pages of recordings as values: chains that a person reads, lines that allocate, tables of a heap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch.admin import formats
from memwatch.admin.panels import Cell, Line, Table, contents, figure
from memwatch.admin.recordings import trim
from memwatch.admin.work import page as work_page
from memwatch.models import Recording, RecordingKind, WorkName
from memwatch.profiles.forms import FORMS as PROFILES
from memwatch.queries.diagnosis.recordings import conclude, container_of, number, place, rows
from memwatch.queries.leak_work import made_in
from memwatch.records import traces
from memwatch.services.recordings import profiles

MOST_ROWS = 40
MOST_SUSPECTS = 15
"""Agents name the suspicious first."""


def context(recording: Recording, result: Mapping[str, Any] | None, *, may_open: bool = True) -> dict[str, Any]:
    """What the page of one recording shows of its result."""
    if recording.kind == RecordingKind.HEAP_DUMP:
        url = reverse("admin:memwatch_recording_heap", args=(recording.pk,)) if may_open else ""
        return {"result": {"url": url}, "notes": []}
    if recording.kind == RecordingKind.TRIM and result is not None:
        return {**trim.context(recording, result), "notes": []}
    reader = _READERS.get(recording.kind)
    shown = reader(result) if reader is not None and result is not None else {}
    return {"result": shown, "notes": [str(note) for note in (result or {}).get("notes") or []][:MOST_ROWS]}


def conclusion(group: list[Recording]) -> list[Line]:
    """The sentences that a group of recordings comes down to."""
    found = conclude(group, container_of(group[0].leak) if group else "")
    lines = [Line(label=_("Finding"), value=formats.with_names(found.finding))] if found.finding else []
    if found.your_code:
        label = _("Most likely your code") if found.sure else _("Perhaps your code")
        value = f"{found.your_code}, {found.attribute}" if found.attribute else found.your_code
        lines.append(Line(label=label, value=value, hint=found.your_code_line))
    if found.held_by:
        label = _("Held by") if found.sure is not False else _("Perhaps held by")
        lines.append(Line(label=label, value=found.held_by, hint=found.certainty))
    lines += [Line(label=_("Or held by"), value=each) for each in found.others]
    if found.freed:
        lines.append(Line(label=_("Size"), value=found.freed))
    if found.allocated_at:
        lines.append(Line(label=_("Allocated at"), value=found.allocated_at, hint=found.code))
    if found.called_from:
        lines.append(Line(label=_("Called from"), value=found.called_from, hint=found.caller_code))
    return lines


def facts(recording: Recording) -> list[Any]:
    """The subject, the reason, the time and the user."""
    found: list[Any] = [formats.link_to(recording.process)]
    if recording.leak is not None:
        found.append(formats.link_to(recording.leak, recording.leak.what))
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
    if recording.kind == RecordingKind.HEAP_DUMP and measured.get("objects"):
        lines.append(Line(label=_("Objects written"), value=formats.count(int(number(measured["objects"])))))
    if recording.size:
        lines.append(Line(label=_("Size"), value=size(recording.size / 1024)))
    spans = traces.joined([], recording.traces)
    lines += [Line(label=_("Trace"), value=trace, hint=_("of a job that ran")) for trace in map(traces.trace_id, spans)]
    return lines


def files(recording: Recording) -> list[dict[str, str]]:
    """What can be downloaded of it."""
    if recording.state != Recording.State.DONE:
        return []
    forms = {"json": _("JSON")}
    if recording.kind == RecordingKind.HEAP_DUMP:
        forms = {
            "heap": _("Heap dump (binary, for memwatch heap)"),
            "heapsnapshot": _("Heap snapshot (for Chrome DevTools and MemLab)"),
            "html": _("Report (HTML page)"),
            "csv": _("Types (CSV)"),
        }
    if recording.kind == RecordingKind.FLAMEGRAPH:
        forms = {
            "html": _("Flame graph (HTML page)"),
            "bin": _("Capture (binary, for memray)"),
        }
    if recording.kind in profiles.KINDS:
        forms |= {form: _(known.label) for form, known in PROFILES.items()}
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
        "referrers": Table(
            title=_("Direct referrers"),
            names=[_("Type"), _("By"), _("Objects")],
            cells=[
                [formats.type_name(str(row.get("holder_type", ""))), str(row.get("via", "")), _count(row)]
                for row in rows(result, "referrers")[:MOST_ROWS]
            ],
        ),
        "made_in": Table(
            title=_("In which job they are made"),
            names=[_("Name"), _("Kind"), _("Objects"), _("Calls"), _("Objects per call")],
            cells=[
                [
                    formats.link(work_page.url(name=made.name), made.name),
                    str(dict(WorkName.Kind.choices).get(made.kind, made.kind)),
                    figure(formats.count(made.count), made.count),
                    figure(formats.count(made.calls), made.calls),
                    figure(formats.precise(made.count / made.calls if made.calls else None), made.count),
                ]
                for made in made_in(result)[:MOST_ROWS]
            ],
            note=_("Objects made during the recording that were still there at the end of their call."),
        ),
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
        return _("It is not known whether they are garbage: %s.") % (found.get("unknown") or "?")
    said = _("%s of them are garbage.") % formats.count(int(number(found.get("count"))))
    if frozen := int(number(found.get("frozen"))):
        said += " " + _("%s are frozen (gc.freeze()): the garbage collector skips them.") % formats.count(frozen)
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
    tables = (
        Table(
            title=_("Usual causes"),
            names=[_("Place"), _("Count"), _("What to do")],
            cells=[
                [formats.type_name(str(row.get("name", ""))), _count(row), str(row.get("advice") or "")]
                for row in rows(result, "suspects")[:MOST_SUSPECTS]
            ],
        ),
        Table(
            title=_("Largest containers"),
            names=[_("Name"), _("What"), _("Entries")],
            cells=[
                [
                    formats.type_name(str(row.get("name") or _("without a name"))),
                    formats.type_name(contents(str(row.get("type", "")), row.get("holds"))),
                    _count(row, "length"),
                ]
                for row in rows(result, "containers")[:MOST_ROWS]
            ],
        ),
        Table(
            title=_("Types by size"),
            names=[_("Type"), _("Size"), _("Error"), _("Objects")],
            cells=[
                [
                    formats.type_name(str(row.get("type", ""))),
                    _size(row, "size_kb"),
                    figure("", None) if row.get("size_error_kb") is None else _size(row, "size_error_kb", "± "),
                    _count(row),
                ]
                for row in rows(result, "types")[:MOST_ROWS]
            ],
        ),
        Table(
            title=_("Resident memory by mapping"),
            names=[_("What"), _("Resident"), _("Since the baseline"), _("Mappings")],
            cells=[
                [
                    str(row.get("name") or ""),
                    _size(row, "size_kb"),
                    figure("", None) if row.get("grew_kb") is None else _size(row, "grew_kb", signed=True),
                    _count(row),
                ]
                for row in rows(result, "mappings")[:MOST_ROWS]
            ],
        ),
        Table(
            title=_("Packages"),
            names=[_("Package"), _("Size"), _("Objects")],
            cells=[
                [formats.type_name(str(row.get("module", ""))), _size(row, "size_kb"), _count(row)]
                for row in rows(result, "modules")[:MOST_ROWS]
            ],
        ),
    )
    return {
        "tables": [table for table in tables if table.cells],
        "garbage": formats.count(int(number(result.get("garbage")))),
        "threads": [str(name) for name in result.get("threads") or []][:MOST_ROWS],
    }


def _count(row: Mapping[str, Any], name: str = "count") -> Cell:
    value = int(number(row.get(name)))
    return figure(formats.count(value), value)


def _size(row: Mapping[str, Any], name: str, before: str = "", *, signed: bool = False) -> Cell:
    value = number(row.get(name))
    before = before or "+" * (signed and value >= 0)
    return figure(f"{before}{size(value)}", value)


def size(kib: float) -> str:
    """Small ones in KB: a line of code may allocate little and leak for ever."""
    return f"{formats.count(round(kib))} KB" if abs(kib) < 1024 else formats.kib(int(kib))


_READERS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    RecordingKind.REFERRERS: _referrers,
    RecordingKind.ALLOCATIONS: _allocations,
    RecordingKind.HEAP_SUMMARY: _heap_summary,
}
