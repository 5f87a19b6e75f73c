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
from memwatch.admin.panels import Line, Table


@dataclasses.dataclass(frozen=True, kw_only=True)
class Text:
    """Something to be read as it was written."""

    title: str
    text: str
    hint: str = ""
    copied: bool = False
    """Whether it is there to be pasted elsewhere."""


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
        return self.context(self.row_page(obj, timezone.now()))

    def context(self, found: RowPage) -> Mapping[str, Any]:
        """What the template gets."""
        return {
            "crumb": found.title,
            **{field.name: getattr(found, field.name) for field in dataclasses.fields(found)},
        }
