"""Triggers: rules that start recordings, and what they would have done within the last day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch.admin import columns, formats
from memwatch.admin.base import ListedAdmin
from memwatch.models import Alert, RecordingKind, Trigger
from memwatch.queries.processes.lookup import processes_by_id, services_by_id
from memwatch.services.recordings import requests, triggers

if TYPE_CHECKING:
    TriggerModelForm = forms.ModelForm[Trigger]
else:
    TriggerModelForm = forms.ModelForm

SHOWN = 200
_LEVELS = (Trigger.When.RSS, Trigger.When.HEAP, Trigger.When.GROWTH)


class TriggerForm(TriggerModelForm):
    """Requires what the condition needs: a severity, a level or a type of alert."""

    and_then = forms.MultipleChoiceField(
        label=gettext_lazy("And then"),
        choices=RecordingKind.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "Recorded next in the same process, one after the other. The limits count all of them as one recording."
        ),
    )

    forbidden: frozenset[str] = frozenset()
    """Kinds that the user may not have recorded."""

    class Meta:
        model = Trigger
        fields = (
            "name", "enabled", "when", "severity", "level", "alert_type", "services", "kind", "and_then", "duration_s",
            "frames", "mode", "native_traces", "per_process_day", "per_service_hour", "per_hour",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["and_then"] = list(filter(None, self.instance.and_then.split(",")))
        if forbidden := self.forbidden - set(self.instance.kinds):
            for name in self.fields.keys() & {"kind", "and_then"}:  # who may only look has a form without fields
                field = cast("forms.ChoiceField", self.fields[name])
                field.choices = [each for each in RecordingKind.choices if each[0] not in forbidden]

    def clean_and_then(self) -> str:
        """As the row keeps it; what is recorded first is not recorded twice."""
        return ",".join(kind for kind in self.cleaned_data["and_then"] if kind != self.cleaned_data.get("kind"))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        when, level, alert = values.get("when"), values.get("level"), values.get("alert_type")
        if when in _LEVELS and level is None and "level" not in self.errors:
            self.add_error("level", _("Enter the level: in MB, in percent of the limit, or in percent per hour."))
        if when == Trigger.When.HEAP and level is not None and level > 100:
            self.add_error("level", _("A heap cannot use more than 100 % of its limit."))
        if when == Trigger.When.ALERT and not alert:
            self.add_error("alert_type", _("Choose an alert."))
        if when == Trigger.When.ANOMALY and (
            values.get("kind") != RecordingKind.HEAP_SUMMARY or values.get("and_then")
        ):
            self.add_error("kind", _("For an anomaly, choose a heap summary alone: of the process and of a usual one."))
        of_a_leak = when == Trigger.When.LEAK or (when == Trigger.When.ALERT and alert == Alert.Type.LEAK)
        text = _("Referrers can be recorded for a leak only. Choose a heap summary or allocation sites.")
        for field in ("kind", "and_then"):
            if RecordingKind.REFERRERS in str(values.get(field)).split(",") and when and not of_a_leak:
                self.add_error(field, text)
        return values


def condition_of(trigger: Trigger) -> str:
    """The occasion in words."""
    level = formats.decimal(trigger.level or 0.0)
    texts = {
        Trigger.When.LEAK: _("a leak opens, %s or worse") % trigger.get_severity_display(),
        Trigger.When.RSS: _("resident memory is over %s MB") % level,
        Trigger.When.HEAP: _("the heap is over %s %% of its limit") % level,
        Trigger.When.GROWTH: _("the memory floor grows by more than %s %% an hour") % level,
        Trigger.When.ANOMALY: _("a process is unlike its siblings"),
        Trigger.When.ALERT: _("the alert “%s” is raised") % trigger.get_alert_type_display(),
    }
    return texts[Trigger.When(trigger.when)]


@admin.register(Trigger)
class TriggerAdmin(ListedAdmin):
    """Rules that operators write."""

    form = TriggerForm
    list_display = ("name", "condition", "records", "where", "limits", "enabled")
    list_filter = ("enabled", "when", "kind")
    search_fields = ("name", "services__name")
    search_help_text = gettext_lazy("Name or service")
    filter_horizontal = ("services",)
    about = gettext_lazy("Rules that start a recording automatically, with limits.")
    empty = gettext_lazy("No trigger yet. Add one: its preview shows what it would have recorded within the last day.")
    change_form_template = "admin/memwatch/trigger/form.html"
    fieldsets = (
        (None, {"fields": ("name", "enabled")}),
        (gettext_lazy("When"), {"fields": ("when", "severity", "level", "alert_type", "services")}),
        (
            gettext_lazy("What to record"),
            {"fields": ("kind", "and_then", "duration_s", "frames", "mode", "native_traces")},
        ),
        (
            gettext_lazy("How often at most"),
            {
                "fields": ("per_process_day", "per_service_hour", "per_hour"),
                "description": gettext_lazy(
                    "memwatch makes one recording at a time in a process, and none in the last healthy worker of "
                    "a service."
                ),
            },
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.for_viewers(self.rehearsal_view)
        return [path("<int:pk>/rehearsal/", view, name="memwatch_trigger_rehearsal"), *super().get_urls()]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.forbidden = frozenset(requests.forbidden_kinds(request.user))
        return form

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("services")

    condition = columns.text(gettext_lazy("when"), condition_of, "when")
    records = columns.text(
        gettext_lazy("recordings"),
        lambda trigger: ", ".join(str(RecordingKind(kind).label) for kind in trigger.kinds),
        "kind",
    )

    @admin.display(description=gettext_lazy("services"))
    def where(self, trigger: Trigger) -> str:
        return ", ".join(service.name for service in trigger.services.all()) or _("every service")

    @admin.display(description=gettext_lazy("limits"))
    def limits(self, trigger: Trigger) -> str:
        text = _("%(process)d per day and process, %(service)d per hour and service, %(all)d per hour in total")
        return text % {
            "process": trigger.per_process_day,
            "service": trigger.per_service_hour,
            "all": trigger.per_hour,
        }

    def rehearsal_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What would have fired within the last day; nothing is recorded."""
        trigger = self.get_object(request, str(pk))
        if trigger is None:
            return self.gone(request, str(pk))
        found = triggers.rehearse(trigger)
        fired = [each for each in found if not each.held_back]
        context = {
            "title": _("Preview"),
            "subtitle": str(trigger),
            "original": trigger,
            "condition": condition_of(trigger),
            "where": self.where(trigger),
            "summary": ngettext("%d recording within the last day", "%d recordings within the last day", len(fired))
            % len(fired),
            "rows": _rows(found[-SHOWN:]),
            "more": max(0, len(found) - SHOWN),
        }
        return self.rendered(request, "admin/memwatch/trigger/rehearsal.html", context)


def _rows(found: list[triggers.Rehearsed]) -> list[dict[str, Any]]:
    processes = processes_by_id({each.occasion.process_id for each in found if each.occasion.process_id is not None})
    services = services_by_id({each.occasion.service_id for each in found})
    rows = []
    for each in reversed(found):
        process = processes.get(each.occasion.process_id) if each.occasion.process_id is not None else None
        rows.append(
            {
                "at": formats.when(each.occasion.at),
                "who": str(process or services.get(each.occasion.service_id) or ""),
                "why": each.occasion.why,
                "held_back": each.held_back,
            }
        )
    return rows
