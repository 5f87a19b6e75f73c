"""The page of settings and operations: every table that has no entry in the index, with what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin.base import SinglePageAdmin
from memwatch.admin.fleet import add_program
from memwatch.models import Operations

SECTIONS: tuple[tuple[Promise, dict[str, Promise]], ...] = (
    (
        gettext_lazy("Settings"),
        {
            "memwatch.expectedgrowth": gettext_lazy("Types that may grow: they open no leak and raise no alert."),
            "memwatch.trigger": gettext_lazy("Rules that start a recording when memory grows or an alert is raised."),
            "memwatch.recommendation": gettext_lazy("Numbers for recycling, workers and memory limits, by service."),
            "memwatch.recyclingpolicy": gettext_lazy("When workers of a service are recycled because of their memory."),
            "authtoken.tokenproxy": gettext_lazy("Tokens of the REST API that do not expire."),
        },
    ),
    (
        gettext_lazy("Fleet"),
        {
            "memwatch.service": gettext_lazy("Groups of processes that run the same program."),
            "memwatch.death": gettext_lazy("Ends of processes: out of memory, killed, crashed, silent."),
            "memwatch.recycle": gettext_lazy("Workers that memwatch recycled, and what it gained."),
            "memwatch.release": gettext_lazy("Versions of the services: what each changed, and the leaks found in it."),
            "memwatch.trackrecord": gettext_lazy("What became of the leaks that were found: confirmed or dismissed."),
            "memwatch.baseline": gettext_lazy("Reference figures that later snapshots are compared with."),
            "memwatch.objecttype": gettext_lazy("Python types that any process has reported."),
        },
    ),
    (
        gettext_lazy("Measurements"),
        {
            "memwatch.snapshot": gettext_lazy("Figures of one process at one moment."),
            "memwatch.snapshotrollup": gettext_lazy("Minimum, mean and maximum of the figures by hour and by day."),
            "memwatch.workrollup": gettext_lazy("What the calls of each view, task and command took and kept."),
            "memwatch.workname": gettext_lazy("Views, tasks and commands that any process has reported."),
        },
    ),
    (
        gettext_lazy("Operations"),
        {
            "memwatch.notification": gettext_lazy(
                "Notifications of alerts and recycled workers, by channel and delivery status."
            ),
            "memwatch.command": gettext_lazy("Commands sent to processes, and their answers."),
            "memwatch.lease": gettext_lazy("Background work: who runs it, and when it last finished."),
            "memwatch.counter": gettext_lazy("Totals of reports, snapshots, leaks and errors since the installation."),
            "memwatch.rejectedreport": gettext_lazy("Reports that could not be stored, and why."),
        },
    ),
)
"""Models by label, each with one sentence."""


@admin.register(Operations)
class OperationsAdmin(SinglePageAdmin):
    page_template = "admin/memwatch/operations/page.html"
    page_title = gettext_lazy("Settings & operations")
    row_model = "lease"

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether there is anything on the page for this user."""
        return bool(self._sections(request, own=True))

    def page(self, request: HttpRequest) -> Mapping[str, Any]:
        return {"sections": self._sections(request)}

    def _sections(self, request: HttpRequest, *, own: bool = False) -> list[dict[str, Any]]:
        """The entries that this user may view; ``own`` leaves out those of other applications."""
        registered = {model._meta.label_lower: page for model, page in self.admin_site._registry.items()}
        found = []
        for title, texts in SECTIONS:
            entries = [
                {
                    "url": reverse(f"admin:{label.replace('.', '_')}_changelist", current_app=self.admin_site.name),
                    "name": capfirst(str(registered[label].opts.verbose_name_plural)),
                    "text": text,
                }
                for label, text in texts.items()
                if label in registered
                and (label.startswith("memwatch.") or not own)
                and registered[label].has_view_permission(request)
            ]
            if "memwatch.service" in texts and registered["memwatch.process"].has_view_permission(request):
                entries.insert(0, {"url": add_program.url(), "name": _("Add a program"), "text": add_program.TEXT})
            if entries:
                found.append({"title": title, "entries": entries})
        return found
