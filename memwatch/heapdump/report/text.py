"""An analysis and a difference as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from memwatch.heapdump import results
from memwatch.heapdump.report import sections
from memwatch.heapdump.sizes import change_text, count_text, size_text

MOST_NAME = 80
DEPTH, WIDTH = 4, 6


def report(result: Mapping[str, Any]) -> str:
    """All of it."""
    about = result["about"]
    lines = [sections.title(about), ""]
    lines += [f"{label}: {value}" for label, value in sections.facts(about)]
    lines += _heading("Findings")
    lines += [f"- {row['text']}" for row in result["findings"]] or ["Nothing takes much more memory than it needs."]
    lines += _heading("Dominators")
    lines += _tree(result, None, 0)
    for name, found in result["paths"].items():
        lines += _paths(name, found)
    for table in sections.tables(result):
        lines += _table(table)
    return "\n".join(lines) + "\n"


def difference(changed: Mapping[str, Any]) -> str:
    """What has changed."""
    before, after = changed["before"], changed["after"]
    change = after["bytes"] - before["bytes"]
    lines = [
        f"{sections.title(after)} compared with {sections.title(before).removeprefix('Heap of ')}",
        "",
        f"Objects: {after['objects'] - before['objects']:+,}, {change_text(change)}",
    ]
    for row in changed["paths"]:
        words = f"{row['count']:+,} objects of {row['type']}, {change_text(row['size'])}"
        words += f", {change_text(row['retained'])} retained"
        lines += ["", f"{words}: {row['holder']}" + (" (a new way)" if row["is_new"] else "")]
        lines += [f"  {sections.step_line(step)}" for step in row["steps"]]
    for table in sections.change_tables(changed):
        lines += _table(table)
    return "\n".join(lines) + "\n"


def paths(name: str, found: Mapping[str, Any]) -> str:
    """What keeps the objects of one type."""
    return "\n".join(_paths(name, found)[1:]) + "\n"


def _heading(text: str) -> list[str]:
    return ["", text, "-" * len(text)]


def _tree(result: Mapping[str, Any], node: int | None, depth: int) -> Iterator[str]:
    found = results.dominators(result, node)
    if found is None:
        return
    yield f"{'  ' * depth}{size_text(found['retained']):>9}  {results.title(found)}"
    if depth + 1 < DEPTH:
        for child in found["children"][:WIDTH]:
            yield from _tree(result, child["node"], depth + 1)


def _paths(name: str, found: Mapping[str, Any]) -> list[str]:
    lines = _heading(f"What keeps {name}")
    sizes = f"{size_text(found['size'])}; without them {size_text(found['freed'])} are free"
    lines.append(f"{count_text(found['count'], 'object')}, {sizes}")
    for group in found["groups"][: sections.MOST_GROUPS]:
        lines += ["", sections.group_line(group)]
        lines += [f"  {sections.step_line(step)}" for step in group["steps"]]
    return lines


def _table(table: sections.Table) -> list[str]:
    rows = [table.heads, *([_short(cell) for cell in row] for row in table.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.heads))]
    lines = _heading(table.title)
    for row in rows:
        cells = [
            cell.rjust(width) if column in table.numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines + [text for text in (table.note, table.summary) if text]


def _short(text: str) -> str:
    return text if len(text) <= MOST_NAME else f"{text[: MOST_NAME - 1]}…"
