"""Alerts, and the growth that operators expect."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.admin.base import ModelAdmin, ReadOnlyAdmin
from memwatch.admin.notifications import told
from memwatch.models import Alert, ExpectedGrowth


class RaisedFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("raised", gettext_lazy("Raised")), ("cleared", gettext_lazy("Cleared"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() in ("raised", "cleared"):
            return queryset.filter(cleared_at__isnull=self.value() == "raised")
        return queryset


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ("said", "severity_shown", "state_shown", "type", "raised", "cleared")
    list_filter = (RaisedFilter, "severity", "type", "service")
    list_select_related = ("service", "process__service")
    search_fields = ("message", "service__name", "process__host")
    fields = (
        "message", "severity_shown", "state_shown", "type", "service", "process", "leak", "value_shown",
        "threshold_shown", "raised_at", "cleared_at", "told_shown",
    )  # fmt: skip
    readonly_fields = ("severity_shown", "state_shown", "value_shown", "threshold_shown", "told_shown")

    @admin.display(description=gettext_lazy("message"))
    def said(self, alert: Alert) -> SafeString:
        return format_html('<span title="{}">{}</span>', alert.message, formats.first_sentence(alert.message))

    @admin.display(description=gettext_lazy("severity"), ordering="severity")
    def severity_shown(self, alert: Alert) -> SafeString:
        return formats.severity_badge(alert.severity, alert.get_severity_display())

    @admin.display(description=gettext_lazy("state"), ordering="cleared_at")
    def state_shown(self, alert: Alert) -> SafeString:
        if alert.is_raised:
            return formats.state_badge("raised", _("raised"))
        return formats.state_badge("cleared", _("cleared"))

    @admin.display(description=gettext_lazy("raised"), ordering="raised_at")
    def raised(self, alert: Alert) -> SafeString:
        return formats.when(alert.raised_at)

    @admin.display(description=gettext_lazy("cleared"), ordering="cleared_at")
    def cleared(self, alert: Alert) -> SafeString:
        return formats.when(alert.cleared_at)

    @admin.display(description=gettext_lazy("value"))
    def value_shown(self, alert: Alert) -> str:
        return _measure(alert, alert.value)

    @admin.display(description=gettext_lazy("threshold"))
    def threshold_shown(self, alert: Alert) -> str:
        # A leak may be noticed for other reasons than this threshold: the leak's page tells.
        matters = alert.type != Alert.Type.LEAK
        return _measure(alert, alert.threshold) if matters else formats.NOT_MEASURED

    @admin.display(description=gettext_lazy("told"))
    def told_shown(self, alert: Alert) -> SafeString | str:
        return told(alert)


def _measure(alert: Alert, value: float | None) -> str:
    if value is None:
        return formats.NOT_MEASURED
    if alert.type == Alert.Type.GC_SPIKE:
        return _("%s collections a second") % formats.decimal(value)
    if alert.type == Alert.Type.GROWTH_RATE:
        return _("%s an hour") % formats.percent(value)
    return formats.percent(value)


@admin.register(ExpectedGrowth)
class ExpectedGrowthAdmin(ModelAdmin):
    """One of the few things that people write themselves."""

    list_display = ("pattern", "service", "reason", "until", "held_back", "last_held_back", "created_by")
    list_filter = ("service",)
    list_select_related = ("service", "created_by")
    search_fields = ("type_pattern", "reason", "service__name")
    fields = (
        "type_pattern", "service", "reason", "expires_at", "created_by", "created_at", "matches", "last_matched_at",
    )  # fmt: skip
    readonly_fields = ("created_by", "created_at", "matches", "last_matched_at")
    show_full_result_count = False

    class Media:
        css = {"all": ("memwatch/admin.css",)}  # noqa: RUF012 - Django reads a plain dict

    def save_model(self, request: HttpRequest, obj: ExpectedGrowth, form: forms.ModelForm[Any], change: bool) -> None:
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)

    @admin.display(description=gettext_lazy("type pattern"), ordering="type_pattern")
    def pattern(self, rule: ExpectedGrowth) -> SafeString:
        return formats.type_name(rule.type_pattern)

    @admin.display(description=gettext_lazy("until"), ordering="expires_at")
    def until(self, rule: ExpectedGrowth) -> SafeString | str:
        return formats.when(rule.expires_at) if rule.expires_at else _("for good")

    @admin.display(description=gettext_lazy("leaks held back"), ordering="matches")
    def held_back(self, rule: ExpectedGrowth) -> SafeString:
        return formats.number(formats.count(rule.matches))

    @admin.display(description=gettext_lazy("last held back"), ordering="last_matched_at")
    def last_held_back(self, rule: ExpectedGrowth) -> SafeString:
        return formats.when(rule.last_matched_at)
