"""Markdown of values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_ROLE = re.compile(r":\w+:`~?([\w.]+)`")


def cell(text: object) -> str:
    """Fit for a cell of a table, on one line."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [[*heads], ["---" for _head in heads], *([cell(item) for item in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines) + "\n"


def plain(docstring: str | None) -> str:
    """A docstring's reStructuredText as Markdown."""
    return _ROLE.sub(lambda found: f"`{found[1].rpartition('.')[2]}`", docstring or "").replace("``", "`")


def first_sentence(docstring: str | None) -> str:
    return plain((docstring or "").strip().split("\n\n")[0]).replace("\n", " ").strip()


def code(text: object) -> str:
    return f"`{text}`" if str(text) else ""
