"""Pages of rows that are only looked at: a sentence, the figures, what to do, and what belongs to it in tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from memwatch.admin.base import PageAdmin
from memwatch.admin.panels import Line


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """A place in a table: text, or a figure that sorts by its value."""

    text: str | SafeString
    sort: str = ""
    is_number: bool = False


def figure(text: str | SafeString, value: float | None) -> Cell:
    """A figure in a column of figures."""
    return Cell(text=text, sort="" if value is None else f"{value:.10g}", is_number=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """What belongs to the row. A heading is right-aligned where the cells below it are figures."""

    title: str
    names: Sequence[str]
    cells: Sequence[Sequence[Cell | str | SafeString]]
    empty: str
    """Why it may have no row."""
    note: str = ""

    @property
    def rows(self) -> list[list[Cell]]:
        return [[each if isinstance(each, Cell) else Cell(text=each) for each in row] for row in self.cells]

    @property
    def heads(self) -> list[Cell]:
        first = self.rows[0] if self.cells else []
        return [Cell(text=name, is_number=cell.is_number) for name, cell in zip(self.names, first, strict=False)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Text:
    """Something to be read as it was written."""

    title: str
    text: str
    hint: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RowPage:
    """What the template shows."""

    title: str
    subtitle: str = ""
    sentence: str | SafeString = ""
    """How it is."""
    tone: str = ""
    """``good``, ``medium``, ``high`` or ``critical``."""
    state: SafeString | str = ""
    facts: Sequence[str | SafeString] = ()
    tiles: Sequence[Line] = ()
    advice: Sequence[str | SafeString] = ()
    tables: Sequence[Table] = ()
    texts: Sequence[Text] = ()


class RowAdmin(PageAdmin):
    """An admin whose rows have such a page."""

    page_template = "admin/memwatch/row/page.html"

    def row_page(self, obj: Any, now: datetime) -> RowPage:
        """The page of one row."""
        raise NotImplementedError

    def page(self, request: HttpRequest, obj: Any) -> Mapping[str, Any]:
        found = self.row_page(obj, timezone.now())
        return {
            "crumb": found.title,
            **{field.name: getattr(found, field.name) for field in dataclasses.fields(found)},
        }
