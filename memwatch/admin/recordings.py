"""Recordings: the list."""

from __future__ import annotations

from django.contrib import admin

from memwatch.admin.base import ReadOnlyAdmin
from memwatch.models import Recording


@admin.register(Recording)
class RecordingAdmin(ReadOnlyAdmin):
    list_display = ("kind", "process", "state", "leak", "requested_at", "requested_by", "finished_at")
    list_select_related = ("process__service", "leak__service", "leak__process__service", "requested_by")
