"""An analysis as one HTML file: no script, nothing from elsewhere, every name escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from memwatch.heapdump import results
from memwatch.heapdump.report import sections
from memwatch.heapdump.sizes import count_text, size_text

DEPTH, WIDTH = 12, 20
MOST_LINES = 2_000
"""Of the tree."""
NUMBER = ' class="number"'

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0; } th, td { padding: .2rem .7rem; text-align: left; }
th { border-bottom: 1px solid #999; } td { border-bottom: 1px solid #e4e4e4; overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
details { margin-left: 1.2rem; } .leaf { margin-left: 2.2rem; } .own { font-weight: 600; } .note { color: #555; }
.size { display: inline-block; min-width: 6rem; font-variant-numeric: tabular-nums; } h2 { margin-top: 2rem; }
@media (prefers-color-scheme: dark) { body { background: #151515; color: #ddd; } td { border-color: #333; }
  .note { color: #aaa; } }
"""


def report(result: Mapping[str, Any]) -> str:
    """All of it."""
    about = result["about"]
    title = escape(sections.title(about))
    parts = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1><table>",
        *(f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>" for label, value in sections.facts(about)),
        "</table><h2>Findings</h2><ul>",
        *(f"<li>{escape(row['text'])}</li>" for row in result["findings"]),
        "</ul>" if result["findings"] else "</ul><p>Nothing takes much more memory than it needs.</p>",
        "<h2>Dominators</h2>",
        '<p class="note">Each object with the memory that would be free without it.</p>',
        *_Tree(result).lines(None, 0),
        "<h2>What keeps objects alive</h2>",
        *(part for name, paths in result["paths"].items() for part in _paths(name, paths)),
        *(part for table in sections.tables(result) for part in _table(table)),
        "</body></html>\n",
    ]
    return "\n".join(parts)


class _Tree:
    def __init__(self, result: Mapping[str, Any]) -> None:
        self._result = result
        self._left = MOST_LINES

    def lines(self, node: int | None, depth: int) -> Iterator[str]:
        found = results.dominators(self._result, node)
        if found is None or self._left <= 0:
            return
        self._left -= 1
        mark = ' class="own"' if found["own"] else ""
        text = f"{_size(found)} <span{mark}>{escape(results.title(found))}</span>"
        if not (found["children"] or found["groups"]) or depth >= DEPTH:
            yield f'<div class="leaf">{text}</div>'
            return
        yield f"<details{' open' if depth == 0 else ''}><summary>{text}</summary>"
        for child in found["children"][:WIDTH]:
            yield from self.lines(child["node"], depth + 1)
        for group in found["groups"]:
            yield f'<div class="leaf note">{_size(group)} {escape(count_text(group["count"], group["type"]))}</div>'
        more = found["more"]["count"] - sum(group["count"] for group in found["groups"])
        more += max(0, len(found["children"]) - WIDTH)
        if more:
            yield f'<div class="leaf note">{more:,} more</div>'
        yield "</details>"


def _size(row: Mapping[str, Any]) -> str:
    return f'<span class="size">{size_text(row["retained"])}</span>'


def _paths(name: str, paths: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h3>{escape(name)}</h3><p>{count_text(paths['count'], 'object')}, {size_text(paths['size'])}; without them "
    yield f"{size_text(paths['freed'])} are free.</p>"
    for group in paths["groups"][: sections.MOST_GROUPS]:
        yield f"<details><summary>{escape(sections.group_line(group))}</summary><ol>"
        for step in group["steps"]:
            mark = ' class="own"' if step["own"] else ""
            yield f"<li{mark}>{escape(sections.step_line(step))}</li>"
        yield "</ol></details>"


def _table(table: sections.Table) -> Iterator[str]:
    yield f"<h2>{escape(table.title)}</h2>"
    for text in filter(None, (table.summary, table.note)):
        yield f'<p class="note">{escape(text)}</p>'
    for index, row in enumerate([table.heads, *table.rows]):
        tag = "td" if index else "th"
        cells = "".join(
            f"<{tag}{NUMBER if column in table.numbers else ''}>{escape(cell)}</{tag}>"
            for column, cell in enumerate(row)
        )
        yield ("" if index else "<table>") + f"<tr>{cells}</tr>"
    yield "</table>"
