"""Expected growth: rules that operators write."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from memwatch.admin import columns, formats
from memwatch.admin.actions import Act, one_by_one
from memwatch.admin.base import ListedAdmin
from memwatch.admin.filters import ChoiceFilter
from memwatch.models import ExpectedGrowth
from memwatch.queries.leaks import suppressed_by
from memwatch.services.leaks import actions

MOST_SHOWN = 20


def _in_force(rule: ExpectedGrowth) -> bool:
    return rule.is_active(timezone.now())


END = Act(
    name="end",
    label=gettext_lazy("End"),
    permission="change_expectedgrowth",
    run=one_by_one(actions.end_expected_growth),
    done=ngettext_lazy("%d rule was ended.", "%d rules were ended."),
    applies=_in_force,
    state=lambda rule: str(_("in force")) if _in_force(rule) else str(_("ended")),
    becomes=gettext_lazy("ended"),
    consequence=gettext_lazy(
        "If the types still grow, the next run of detection opens their leaks and raises alerts. The rule stays in "
        "the list."
    ),
)


class ForceFilter(ChoiceFilter):
    title = gettext_lazy("state")
    parameter_name = "state"
    options = (("force", gettext_lazy("In force")), ("ended", gettext_lazy("Ended")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        in_force = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        if self.chosen == "force":
            return queryset.filter(in_force)
        return queryset.exclude(in_force) if self.chosen == "ended" else queryset


@admin.register(ExpectedGrowth)
class ExpectedGrowthAdmin(ListedAdmin):
    list_display = (
        "pattern", "state_shown", "service", "reason", "until", "held_back", "suppressed", "last_held_back",
    )  # fmt: skip
    list_filter = (ForceFilter, "service")
    list_select_related = ("service", "created_by")
    search_fields = ("type_pattern", "reason", "service__name")
    fields = ("type_pattern", "service", "reason", "expires_at")
    readonly_fields = ("state_shown", "held_back", "suppressed", "last_held_back", "leaks_shown", "by")
    search_help_text = gettext_lazy("Pattern, reason or service")
    acts = (END,)
    about = gettext_lazy("Types that may grow. memwatch counts them, but opens no leak and raises no alert.")
    empty = gettext_lazy(
        "No expected growth. Use “Suppress as expected” on the page of a leak, or add a pattern here in advance."
    )

    def get_fieldsets(self, request: HttpRequest, obj: ExpectedGrowth | None = None) -> Any:
        """What is asked for; of one that is there also what it did."""
        asked = (None, {"fields": self.fields})
        if obj is None:
            return [asked]
        return [asked, (_("Effect"), {"fields": self.readonly_fields})]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Date and time say what they are for: their labels say only which is which."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "expires_at" and field is not None:
            for part, words in zip(field.widget.widgets, (_("Until: date"), _("Until: time")), strict=True):
                part.attrs["aria-label"] = words
        return field

    def save_model(self, request: HttpRequest, obj: ExpectedGrowth, form: forms.ModelForm[Any], change: bool) -> None:
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)

    pattern = columns.text(
        gettext_lazy("type pattern"), lambda rule: formats.type_name(rule.type_pattern), "type_pattern"
    )
    until = columns.text(
        gettext_lazy("until"),
        lambda rule: formats.when(rule.expires_at) if rule.expires_at else _("permanent"),
        "expires_at",
    )
    held_back = columns.figure(gettext_lazy("leaks suppressed"), lambda rule: formats.count(rule.matches), "matches")
    suppressed = columns.figure(
        gettext_lazy("verdicts suppressed"),
        lambda rule: formats.count(rule.suppressed_verdicts),
        "suppressed_verdicts",
    )
    last_held_back = columns.when(gettext_lazy("last match"), "last_matched_at")

    @admin.display(description=gettext_lazy("state"), ordering="expires_at")
    def state_shown(self, rule: ExpectedGrowth) -> SafeString:
        if _in_force(rule):
            return formats.badge("state", "alive", _("in force"), "●")
        return formats.badge("state", "ended", _("ended"), "○")

    @admin.display(description=gettext_lazy("leaks suppressed now"))
    def leaks_shown(self, rule: ExpectedGrowth) -> SafeString | str:
        rows = suppressed_by(rule, MOST_SHOWN + 1)
        shown = [(formats.page_url("leak", leak.pk), str(leak)) for leak in rows[:MOST_SHOWN]]
        more = _(" and more") if len(rows) > MOST_SHOWN else ""
        return format_html("{}{}", format_html_join(", ", '<a href="{}">{}</a>', shown), more) if shown else _("none")

    @admin.display(description=gettext_lazy("set"))
    def by(self, rule: ExpectedGrowth) -> SafeString:
        return format_html(_("{} by {}"), formats.when(rule.created_at), rule.created_by or "memwatch")
