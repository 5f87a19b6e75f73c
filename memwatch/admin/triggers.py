"""Triggers: when to record without being asked."""

from __future__ import annotations

from django.contrib import admin

from memwatch.admin.base import ModelAdmin
from memwatch.models import Trigger


@admin.register(Trigger)
class TriggerAdmin(ModelAdmin):
    """One of the few things that people write themselves."""

    list_display = ("name", "when", "kind", "enabled")
    list_filter = ("enabled", "when", "kind")
    search_fields = ("name", "services__name")
    filter_horizontal = ("services",)
