"""Lists that say what they show, and what to do first where there is nothing to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse

from memwatch.admin.acting import ActingAdmin
from memwatch.admin.zone import ZonedAdmin

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Text


class ListedAdmin(ZonedAdmin, ActingAdmin):
    """A list with a sentence above it, and one instead of it while it is empty."""

    change_list_template = "admin/memwatch/list.html"
    about: Text | str = ""
    """What the rows are."""
    empty: Text | str = ""
    """Why there may be none, and what to do first."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"about": self.about, "empty": self.empty, **(extra_context or {})})
