"""Lists that say what they show, and what to do first where there is nothing to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst

from memwatch.admin import formats
from memwatch.admin.acting import ActingAdmin
from memwatch.admin.zone import ZonedAdmin

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

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {"title": capfirst(self.opts.verbose_name_plural), "about": self.about, "empty": self.empty}
        return super().changelist_view(request, {**own, **(extra_context or {})})
