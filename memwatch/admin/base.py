"""Base classes of the admin pages: read-only lists, bounded counts of large tables, pages of one row."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest, EmptyResultSet, PermissionDenied
from django.core.paginator import Paginator
from django.db import DataError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from memwatch.admin import formats
from memwatch.admin.actions import ActingAdmin
from memwatch.admin.doors import DOORS
from memwatch.admin.time_zone import ZonedAdmin

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Text

    ModelAdmin = admin.ModelAdmin[Any]
    AnyPaginator = Paginator[Any]
else:
    ModelAdmin = admin.ModelAdmin
    AnyPaginator = Paginator


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
    related: ClassVar[Mapping[str, str]] = {}
    """The models that this one's pages lead to, by name, with the field of each that names the row; empty for none.

    ``field=attribute`` names the row by an attribute of this one: ``service=service_id``.
    """

    class Media:
        css = {"all": ("memwatch/admin.css", "memwatch/findings.css")}  # noqa: RUF012 - Django reads a plain dict

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """None for what other pages lead to: the index leaves it out, and its URLs stay."""
        return super().get_model_perms(request) if self.opts.model_name in DOORS else {}

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
            raise BadRequest(f"these filters cannot be used: {str(error)[:200]}") from None
        return listed

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {
            "title": capfirst(self.opts.verbose_name_plural),
            "about": self.about,
            "empty": self.empty,
            "related": self.related_links(request),
        }
        if any("\0" in value for values in request.GET.lists() for value in values[1]):
            raise BadRequest("the address contains a NUL character (%00): remove it")
        return super().changelist_view(request, {**own, **(extra_context or {})})

    def related_links(self, request: HttpRequest, obj: Model | None = None) -> list[dict[str, str]]:
        """Links to the lists of the related models that this user may view, those of ``obj`` only if it is given."""
        registered = {model._meta.label_lower: page for model, page in self.admin_site._registry.items()}
        return [
            {
                "url": formats.changelist(name, **_condition(field, obj)),
                "name": capfirst(str(page.opts.verbose_name_plural)),
            }
            for name, field in self.related.items()
            if (page := registered.get(f"memwatch.{name}")) is not None and page.has_view_permission(request)
        ]


def _condition(field: str, obj: Model | None) -> dict[str, Any]:
    """What narrows a list to the rows of ``obj``: see :attr:`ListedAdmin.related`."""
    name, _equals, attribute = field.partition("=")
    return {f"{name}__id__exact": getattr(obj, attribute or "pk")} if obj is not None and name else {}


COUNTED_ROWS = 10_000
"""A list says how many rows there are up to this many."""


class BoundedPaginator(AnyPaginator):
    """Counts no further than :data:`COUNTED_ROWS`, so that a list of ten million snapshots opens at once.

    Older rows are reached by filters, not by paging.
    """

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return int(rows.order_by()[:COUNTED_ROWS].count())
        return len(rows)


class ReadOnlyAdmin(ListedAdmin):
    """A list whose rows cannot be added, edited or deleted. Actions are allowed."""

    actions_on_bottom = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class PageAdmin(ReadOnlyAdmin):
    """A read-only admin whose rows have a page of their own instead of a form."""

    page_template: str

    def page(self, request: HttpRequest, obj: Any) -> Mapping[str, Any]:
        """The context of the page."""
        raise NotImplementedError

    def page_object(self, request: HttpRequest, object_id: str) -> Any | None:
        """The row with what its page needs, or ``None``."""
        return self.get_object(request, unquote(object_id))

    @method_decorator(require_safe)
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        obj = self.page_object(request, object_id)
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        if obj is None:
            return self.gone(request, object_id)
        context = {
            "title": self.opts.verbose_name,
            "subtitle": str(obj),
            "original": obj,
            "object_id": object_id,
            "buttons": self.buttons(request, obj),
            "history_label": _("History"),
            "related": self.related_links(request, obj),
            **self.page(request, obj),
            **(extra_context or {}),
        }
        return self.rendered(request, self.page_template, context)


class SinglePageAdmin(ReadOnlyAdmin):
    """An admin whose list is one page, and not a table of its rows."""

    page_template: str
    page_title: Text | str
    row_model: str
    """The model on whose pages the rows are shown."""

    def page(self, request: HttpRequest) -> Mapping[str, Any]:
        """The context of the page."""
        raise NotImplementedError

    @method_decorator(require_safe)
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {"title": self.page_title, **self.page(request), **(extra_context or {})}
        return self.rendered(request, self.page_template, context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return HttpResponseRedirect(formats.page_url(self.row_model, object_id))
