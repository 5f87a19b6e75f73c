"""Filters of the lists whose choices are written down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils.text import capfirst


class ChoiceFilter(admin.SimpleListFilter):
    """Offers ``options``; ``usual`` is the one in force where the address names none of them."""

    parameter_name: str
    options: Sequence[tuple[str, Any]]
    usual: str = ""
    """Empty: no filter is in force, and “All” is offered."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(self.options)

    @property
    def chosen(self) -> str:
        """A key of the options, or empty."""
        value = self.value() or ""
        return value if value in dict(self.options) else self.usual

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        if not self.usual:
            yield from super().choices(changelist)
            return
        for key, title in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: key})
            yield {"selected": self.chosen == key, "query_string": query, "display": capfirst(title)}
