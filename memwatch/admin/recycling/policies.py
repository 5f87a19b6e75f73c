"""The form of a recycling policy, and the list of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import columns
from memwatch.admin.base import ListedAdmin
from memwatch.admin.recycling import words
from memwatch.models import RecyclingPolicy
from memwatch.queries import recycling
from memwatch.services.recycling import policies

if TYPE_CHECKING:
    PolicyModelForm = forms.ModelForm[RecyclingPolicy]
else:
    PolicyModelForm = forms.ModelForm

PERMISSION = "memwatch.recycle_workers"


def add_url(service: int, user: Any) -> str:
    """The form of a new policy of the service; empty for a user who may not add one."""
    return f"{reverse('admin:memwatch_recyclingpolicy_add')}?service={service}" if user.has_perm(PERMISSION) else ""


class PolicyForm(PolicyModelForm):
    """Refuses what makes no sense together."""

    class Meta:
        model = RecyclingPolicy
        fields = ("service", *policies.FIELDS)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        rehearsed = self.instance.pk is not None and self.instance.rehearsed_at is not None
        for field, text in policies.problems(values, rehearsed=rehearsed).items():
            if field not in self.errors:
                self.add_error(field, text)
        return values


@admin.register(RecyclingPolicy)
class RecyclingPolicyAdmin(ListedAdmin):
    """Policies that operators write."""

    form = PolicyForm
    change_form_template = "admin/memwatch/recycling/form.html"
    list_display = ("service", "mode_shown", "condition", "pace", "last_check", "said")
    list_filter = ("mode",)
    list_select_related = ("service",)
    search_fields = ("service__name",)
    search_help_text = gettext_lazy("Service")
    actions = None
    view_on_site = False
    about = gettext_lazy("When workers of a service are recycled. A service without a policy is left alone.")
    empty = gettext_lazy("No policy yet. Add one for a service whose workers grow, and rehearse it first.")
    related: ClassVar = {"recycle": "service=service_id", "service": ""}
    fieldsets = (
        (None, {"fields": ("service", "mode")}),
        (
            gettext_lazy("When"),
            {
                "fields": ("when", "limit_mb", "limit_percent", "checks"),
                "description": gettext_lazy(
                    "Choose a limit well above what a new worker needs: one that has grown by less than a tenth of its "
                    "private memory is not recycled, whatever the limit."
                ),
            },
        ),
        (
            gettext_lazy("How"),
            {
                "fields": ("minutes", "drain_minutes", "supervisor", "notify"),
                "description": gettext_lazy(
                    "The largest worker first, one at a time, and never the last healthy worker of the service. It "
                    "finishes its request or task, and its server starts a successor."
                ),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[RecyclingPolicy]:
        return super().get_queryset(request).select_related("service")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("memwatch.view_recyclingpolicy")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm(PERMISSION)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Switch it off instead: its history stays readable."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("service",) if obj is not None else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "service":
            kwargs["queryset"] = recycling.without_policy()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new one is to be rehearsed first."""
        found: dict[str, Any] = super().get_changeform_initial_data(request)
        service = str(found.get("service", ""))
        return {"mode": RecyclingPolicy.Mode.REHEARSE, **({"service": service} if service.isdigit() else {})}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        policies.save(obj, by=request.user)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The service has written it already."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The service has written it already."""

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        obj = context.get("original")
        if obj is not None:
            context["mw_state"] = _state(obj)
            context["mw_tone"] = "high" if obj.stopped_at is not None else ""
            context["related"] = self.related_links(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)

    mode_shown = columns.text(gettext_lazy("mode"), words.mode, "mode")
    condition = columns.text(gettext_lazy("a worker is due at"), words.condition)
    pace = columns.text(gettext_lazy("limits"), words.pace)
    last_check = columns.when(gettext_lazy("last check"), "checked_at")
    said = columns.text(gettext_lazy("result"), words.said)


def _state(policy: RecyclingPolicy) -> SafeString | str:
    found = words.said(policy)
    if policy.mode == RecyclingPolicy.Mode.REHEARSE and policy.rehearsed_at is not None:
        return f"{found} {_('It may act now: choose “act” when you agree with what it would have done.')}"
    return found
