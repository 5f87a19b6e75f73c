"""The pages of a heap dump: what to look at first, dominators to open one by one, types and what keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch.admin import formats
from memwatch.admin.panels import Cell, Table, figure
from memwatch.admin.recordings.icicle import group_text, icicle
from memwatch.heapdump import results
from memwatch.heapdump.report import sections
from memwatch.heapdump.sizes import change_text, size_text
from memwatch.models import Recording
from memwatch.queries.row_ids import is_id

MOST_ROWS = 40
MOST_OBJECTS = 15
MOST_TYPES = 15
"""On the first page; a search shows more."""
MOST_GROUPS = 10
MOST_NAME = 300
MOST_ABOVE = 10
Cells = list[list[Cell | str]]


def context(analysis: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Of the whole dump; of the object ``node``, of the type ``type``, or of types with ``q`` in their names."""
    shown = {"warning": _warning(analysis)}
    if type_name := given.get("type", "")[:MOST_NAME]:
        return {**shown, "type_name": type_name, "paths": _paths(analysis, type_name)}
    if "q" in given:
        search = given["q"][:MOST_NAME]
        return {**shown, "search": search, "searched": True, "types": _types(analysis, search, results.MOST_ROWS)}
    node = int(given["node"]) if is_id(given.get("node", "")) else None
    return {**shown, **_objects(analysis, node)}


def waiting(recording: Recording, percent: int | None) -> dict[str, Any]:
    """Instead, while the analysis is made."""
    text = _("The heap dump is being analysed.")
    if percent is not None:
        text = _("The heap dump is being analysed: %d %% done.") % percent
    return {
        "pending": True,
        "waiting_text": text,
        "cancel_url": reverse("admin:memwatch_recording_heap_cancel", args=(recording.pk,)),
    }


def facts(recording: Recording, analysis: Mapping[str, Any] | None = None) -> list[Any]:
    """The recording, the process, the time, and how large its heap was."""
    found: list[Any] = [
        formats.link_to(recording, capfirst(str(recording.get_kind_display()))),
        formats.link_to(recording.process),
        formats.when(recording.requested_at),
    ]
    if analysis is None:
        return found
    about = analysis["about"]
    words = {"objects": formats.count(about["objects"]), "size": size_text(about["bytes"])}
    found.append(_("%(objects)s objects, %(size)s") % words)
    return found + ([f"Python {about['python']}"] if about.get("python") else [])


def _objects(analysis: Mapping[str, Any], node: int | None) -> dict[str, Any]:
    found = results.dominators(analysis, node)
    is_listed = found is not None
    found = found or results.dominators(analysis) or {}
    shown = {
        "above": _above(found["above"]),
        "here_text": f"{results.title(found)}, {size_text(found['retained'])}",
        "icicle": icicle(analysis, found["node"]),
        "dominators": _dominators(found),
        "not_listed": not is_listed,
    }
    if found["above"]:
        return shown
    return {
        **shown,
        "findings": [
            {"text": row["text"], "url": _address(type=row["type"]) if "type" in row else ""}
            for row in analysis["findings"]
        ],
        "types": _types(analysis, "", MOST_TYPES),
        "tables": [
            {"table": _shown(made), "summary": made.summary}
            for made in sections.tables(analysis)
            if made.title != "Types"
        ],
    }


def _warning(analysis: Mapping[str, Any]) -> str:
    """What the reader has to know before all else; empty mostly."""
    about = analysis["about"]
    if about.get("complete") is not False:
        return ""
    reason = str(about.get("note") or _("it ended before the last object"))
    return _("This dump is not complete: %s. Retained sizes are too small.") % reason


def _above(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The way down to an object; the middle of a linked list is left out."""
    way = [
        {"url": _address(node=row["node"]), "text": results.title(row), "size": size_text(row["retained"])}
        for row in rows
    ]
    left_out = len(way) - MOST_ABOVE
    if left_out <= 0:
        return way
    half = MOST_ABOVE // 2
    between = _("%s objects in between") % formats.count(left_out)
    return [*way[:half], {"url": "", "text": between, "size": ""}, *way[half + left_out :]]


def _address(**values: Any) -> str:
    return f"?{urlencode(values)}"


def _size(value: int) -> Cell:
    return figure(size_text(value), value)


def _count(value: int) -> Cell:
    return figure(formats.count(value), value)


def _dominators(found: Mapping[str, Any]) -> Table:
    whole = max(1, found["retained"])
    rows = [*found["children"][:MOST_OBJECTS], *found["groups"]]
    cells: Cells = [
        [
            Cell(text=_object(row) if "node" in row else _group_name(row)),
            _size(row["retained"]),
            figure(formats.percent(100 * row["retained"] / whole), row["retained"]),
            _count(row["objects"]),
        ]
        for row in rows
    ]
    known = sum(row.get("count", 1) for row in rows)
    count = len(found["children"]) + found["more"]["count"] - known
    retained = sum(row["retained"] for row in found["children"]) + found["more"]["retained"]
    words = {"count": formats.count(count), "size": size_text(retained - sum(row["retained"] for row in rows))}
    retains = _("Retained is what would be free without the object.")
    rest = _("%(count)s more retain %(size)s together.") % words if count > 0 else ""
    return Table(
        title=_("What keeps the most memory") if not found["above"] else _("What would be free with it"),
        names=[_("Object"), _("Retained"), _("Share"), _("Objects")],
        cells=cells,
        note=f"{retains} {rest}".rstrip(),
        empty=_("Nothing: all that it refers to is also kept by others."),
    )


def _object(row: Mapping[str, Any]) -> SafeString:
    """Its place, then its type."""
    name = formats.type_name(row["place"] or row["label"])
    if row["own"]:
        name = format_html("<strong>{}</strong>", name)
    if row["has_children"]:
        name = format_html('<a href="{}">{}</a>', _address(node=row["node"]), name)
    return format_html('{} <span class="mw-second">{}</span>', name, row["label"]) if row["place"] else name


def _group_name(row: Mapping[str, Any]) -> SafeString:
    name = formats.type_name(group_text(row))
    return format_html("<strong>{}</strong>", name) if row["own"] else name


def _types(analysis: Mapping[str, Any], search: str, most: int) -> Table:
    cells: Cells = []
    for row in results.types(analysis, search, most):
        name = formats.type_name(row["name"])
        if row["name"] in analysis["paths"]:
            name = format_html('<a href="{}">{}</a>', _address(type=row["name"]), name)
        cells.append([Cell(text=name), _size(row["retained"]), _count(row["count"]), _size(row["size"])])
    return Table(
        title=_("Types"),
        names=[_("Type"), _("Retained"), _("Objects"), _("Size")],
        cells=cells,
        empty=_("No type has this text in its name."),
    )


def _paths(analysis: Mapping[str, Any], type_name: str) -> dict[str, Any] | None:
    found = results.paths(analysis, type_name)
    if found is None:
        return None
    words = {"count": formats.count(found["count"]), "size": size_text(found["freed"])}
    return {
        "sentence": ngettext(
            "%(count)s object. Without it %(size)s would be free.",
            "%(count)s objects. Without them %(size)s would be free.",
            found["count"],
        )
        % words,
        "groups": [_group(analysis, group) for group in found["groups"][:MOST_GROUPS]],
    }


def _group(analysis: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
    place = f"{group['holder_file']}:{group['holder_line']}" if group["holder_file"] and group["holder_line"] else ""
    is_listed = results.dominators(analysis, group["container"]) is not None
    return {
        "holder": group["holder"],
        "url": _address(node=group["container"]) if is_listed else "",
        "own": group["own"],
        "place": place or group["holder_file"],
        "count": formats.count(group["count"]),
        "retained": size_text(group["retained"]),
        "steps": [{"text": sections.step_line(step), "own": step["own"]} for step in group["steps"]],
    }


def _shown(made: sections.Table) -> Table:
    """A table of a report as one of the admin's."""
    return Table(
        title=_(made.title),
        names=[_(head) if head else "" for head in made.heads],
        cells=[
            [
                figure(cell, None) if column in made.numbers else formats.type_name(cell)
                for column, cell in enumerate(row)
            ]
            for row in made.rows
        ],
        note=made.note,
    )


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What is new in the second dump."""
    found = results.difference(before, after)
    paths: Cells = [
        [
            format_html('<a href="{}">{}</a>', _address(type=row["type"]), formats.type_name(row["type"])),
            format_html("<strong>{}</strong>", formats.type_name(row["holder"]))
            if row["own"]
            else formats.type_name(row["holder"]),
            figure(formats.signed_count(row["count"]), row["count"]),
            figure(change_text(row["retained"]), row["retained"]),
            _("new") if row["is_new"] else "",
        ]
        for row in found["paths"][:MOST_ROWS]
    ]
    table = Table(
        title=_("What keeps more objects"),
        names=[_("Type"), _("Holder"), _("Objects"), _("Retained"), ""],
        cells=paths,
        empty=_("Nothing keeps more objects than before."),
    )
    return {"changes": [table, *(_shown(made) for made in sections.change_tables(found))]}
