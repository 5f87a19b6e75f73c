"""Dominators as a chart of blocks: the width of a block is the memory that dies with the object."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from memwatch.admin import formats
from memwatch.heapdump import results
from memwatch.heapdump.sizes import count_text, size_text

DEPTH = 4
"""Rows below the object itself."""
ROW = 28
"""Pixels of a row."""
LEAST = 0.4
"""A block that is narrower, in percent of the chart, is left out."""
LEAST_TEXT = 3.0
"""A block that is narrower has no room for words."""
LEAST_LINK = 8.0
"""A block that is narrower is no link: it could not be hit on a telephone. The table has the same links."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """An object, or all of a type below an object that are too small to be listed."""

    x: str
    """Percent of the chart."""
    width: str
    y: int
    """Pixels."""
    text: str
    title: str
    tone: str
    """``own`` for the program's own code, ``group`` for many objects."""
    url: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Icicle:
    """All blocks."""

    label: str
    blocks: list[Block]
    height: int
    """Pixels."""


def icicle(analysis: Mapping[str, Any], node: int | None) -> Icicle | None:
    """Of one object or of all roots; ``None`` where there is nothing below it."""
    top = results.dominators(analysis, node)
    if top is None or top["retained"] <= 0:
        return None
    blocks = list(_Chart(analysis, top["retained"]).blocks(top, 0, 0.0))
    if len(blocks) == 1:
        return None
    label = _("What %(object)s retains, as blocks") % {"object": results.title(top)}
    return Icicle(label=label, blocks=blocks, height=max(block.y for block in blocks) + ROW)


class _Chart:
    def __init__(self, analysis: Mapping[str, Any], whole: int) -> None:
        self._analysis = analysis
        self._whole = whole

    def blocks(self, row: Mapping[str, Any], level: int, x: float) -> Iterator[Block]:
        """An object and what is below it, from ``x`` percent on."""
        url = f"?{urlencode({'node': row['node']})}" if level and row["has_children"] else ""
        yield self._block(row, (results.title(row), row["place"] or row["label"]), level, x, url)
        found = row if level == 0 else results.dominators(self._analysis, row["node"])
        if level == DEPTH or found is None:
            return
        for each in [*found["children"], *found["groups"]]:
            width = self._percent(each)
            if width < LEAST:
                continue
            if "node" in each:
                yield from self.blocks(each, level + 1, x)
            else:
                yield self._block(each, (group_text(each), group_text(each)), level + 1, x)
            x += width

    def _percent(self, row: Mapping[str, Any]) -> float:
        return float(100 * row["retained"] / self._whole)

    def _block(self, row: Mapping[str, Any], texts: tuple[str, str], level: int, x: float, url: str = "") -> Block:
        width = self._percent(row)
        title, text = texts
        return Block(
            x=f"{x:.3f}%",
            width=f"{width:.3f}%",
            y=level * ROW,
            text=text if width >= LEAST_TEXT else "",
            title=f"{title}: {size_text(row['retained'])}, {formats.percent(width)}",
            tone="own" if row["own"] else "" if "node" in row else "group",
            url=url if width >= LEAST_LINK else "",
        )


def group_text(group: Mapping[str, Any]) -> str:
    """``1,304 shop.leaks.PriceQuote objects``."""
    return count_text(group["count"], group["type"])
