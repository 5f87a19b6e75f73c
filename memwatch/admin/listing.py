"""Lists that say what they show, and what to do first where there is nothing to show."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest, EmptyResultSet
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst

from memwatch.admin import formats
from memwatch.admin.actions import ActingAdmin
from memwatch.admin.time_zone import ZonedAdmin

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Text


class Listed(ChangeList):
    """Says how many rows match where something was asked for, and nothing of others where nothing was."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count


class ListedAdmin(ZonedAdmin, ActingAdmin):
    """A list with a sentence above it, and one instead of it while it is empty."""

    change_list_template = "admin/memwatch/list.html"
    empty_value_display = formats.NOT_MEASURED
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    about: Text | str = ""
    """What the rows are."""
    empty: Text | str = ""
    """Why there may be none, and what to do first."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Listed

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Raises :class:`BadRequest` for an address whose conditions no database can be asked, such as a year 99999."""
        try:
            listed = super().get_changelist_instance(request)
            with contextlib.suppress(EmptyResultSet):
                listed.queryset.query.get_compiler(listed.queryset.db).as_sql()
        except (ValueError, OverflowError, DataError) as error:
            if not request.GET:
                raise
            raise BadRequest(f"the list cannot be narrowed like this: {str(error)[:200]}") from None
        return listed

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {"title": capfirst(self.opts.verbose_name_plural), "about": self.about, "empty": self.empty}
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            raise BadRequest("the address has a character that no text in the database has")
        return super().changelist_view(request, {**own, **(extra_context or {})})
