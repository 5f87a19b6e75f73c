"""The deployment's routes, and beside them the same table in an admin as Django makes it by default."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from memwatch.models import Snapshot
from project.urls import urlpatterns as own


class DefaultAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What one writes first: columns, a filter, a search."""

    list_display = ("timestamp", "process", "rss_kib", "heap_used_kib", "total_objects", "census_pause_us")
    list_filter = ("process__service",)
    list_select_related = ("process__service",)
    search_fields = ("process__host", "process__service__name")


plain = admin.AdminSite(name="plain")
plain.register(Snapshot, DefaultAdmin)
urlpatterns = [path("plain/", plain.urls), *own]
