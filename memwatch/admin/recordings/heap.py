"""The pages of a heap dump: what to look at first, dominators to open one by one, types and what keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch.admin import formats
from memwatch.admin.panels import Cell, Table, figure
from memwatch.heapdump import results
from memwatch.heapdump.report import sections
from memwatch.heapdump.sizes import change_text, size_text

MOST_ROWS = 40
MOST_GROUPS = 10
Cells = list[list[Cell | str]]


def context(analysis: Mapping[str, Any], node: int | None, type_name: str, search: str) -> dict[str, Any]:
    """Of the whole dump, or of one object or type."""
    dominators = results.dominators(analysis, node) or results.dominators(analysis) or {}
    return {
        "facts": [f"{label}: {value}" for label, value in sections.facts(analysis["about"])],
        "findings": [row["text"] for row in analysis["findings"]],
        "above": [
            {"url": _address(node=row["node"]), "label": row["label"], "size": size_text(row["retained"])}
            for row in dominators["above"]
        ],
        "here": f"{dominators['label']}, {size_text(dominators['retained'])}",
        "dominators": _dominators(dominators),
        "types": _types(analysis, search),
        "search": search,
        "paths": _paths(analysis, type_name) if type_name else None,
        "type_name": type_name,
        "tables": [] if node is not None or type_name or search else list(_tables(analysis)),
    }


def _address(**values: Any) -> str:
    return f"?{urlencode(values)}"


def _size(value: int) -> Cell:
    return figure(size_text(value), value)


def _count(value: int) -> Cell:
    return figure(formats.count(value), value)


def _dominators(found: Mapping[str, Any]) -> Table:
    cells: Cells = []
    for row in found["children"]:
        label = formats.type_name(row["label"])
        if row["own"]:
            label = format_html("<strong>{}</strong>", label)
        if row["has_children"]:
            label = format_html('<a href="{}">{}</a>', _address(node=row["node"]), label)
        cells.append([Cell(text=label), _size(row["retained"]), _count(row["objects"]), _size(row["size"])])
    more = found["more"]
    words = {"count": formats.count(more["count"]), "size": size_text(more["retained"])}
    return Table(
        title=_("Dominators"),
        names=[_("Object"), _("Retained"), _("Objects"), _("Size")],
        cells=cells,
        note=_("%(count)s more retain %(size)s together.") % words if more["count"] else "",
        empty=_("It retains nothing that is large enough to be listed."),
    )


def _types(analysis: Mapping[str, Any], search: str) -> Table:
    cells: Cells = []
    for row in results.types(analysis, search, MOST_ROWS):
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
        "groups": [_group(group) for group in found["groups"][:MOST_GROUPS]],
    }


def _group(group: Mapping[str, Any]) -> dict[str, Any]:
    place = f"{group['holder_file']}:{group['holder_line']}" if group["holder_file"] and group["holder_line"] else ""
    return {
        "holder": group["holder"],
        "own": group["own"],
        "place": place or group["holder_file"],
        "count": formats.count(group["count"]),
        "retained": size_text(group["retained"]),
        "steps": [{"text": sections.step_line(step), "own": step["own"]} for step in group["steps"]],
    }


def _tables(analysis: Mapping[str, Any]) -> Iterator[Table]:
    for made in sections.tables(analysis):
        if made.title != "Types":
            yield _shown(made)


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
            formats.type_name(row["type"]),
            formats.type_name(row["holder"]),
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
    return {"tables": [table, *(_shown(made) for made in sections.change_tables(found))]}
