"""Columns of the lists: a head, what a row shows below it, and the field by which the list is ordered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.queries.leaks import SEVERITY_RANK

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Text

Column = Callable[[Any, Any], str | SafeString]


def text(head: Text, show: Callable[[Any], str | SafeString], ordering: Any = None) -> Column:
    """Text, a link or a badge; ``show`` takes the row."""

    @admin.display(description=head, ordering=ordering)
    def shown(_admin: Any, row: Any) -> str | SafeString:
        return show(row)

    return shown


def figure(head: Text, show: Callable[[Any], str | SafeString], ordering: Any = None) -> Column:
    """A figure, right-aligned."""
    return text(head, lambda row: formats.number(show(row)), ordering)


def when(head: Text, field: str) -> Column:
    """The age of a time."""
    return text(head, lambda row: formats.when(getattr(row, field)), field)


def link(head: Text, field: str, ordering: Any = None) -> Column:
    """A link to the page of the row that a foreign key names."""
    return text(head, lambda row: formats.link_to(getattr(row, field)), ordering)


def state() -> Column:
    """The badge of a field ``state`` with choices."""
    return text(gettext_lazy("state"), formats.state_of, "state")


def severity() -> Column:
    """The badge of a field ``severity``."""
    return text(gettext_lazy("severity"), formats.severity_of, SEVERITY_RANK)
