"""The admin: memwatch's face for ops staff. Importing it registers every table on the default site."""

from django.contrib import admin
from django.contrib.admin import AdminSite

from memwatch.admin import (
    alerts,
    baselines,
    expected,
    fleet,
    leaks,
    operations,
    overview,
    processes,
    recordings,
    rollups,
    snapshots,
    triggers,
)

__all__ = [
    "alerts",
    "baselines",
    "expected",
    "fleet",
    "leaks",
    "operations",
    "overview",
    "processes",
    "recordings",
    "register",
    "rollups",
    "snapshots",
    "triggers",
]


def register(site: AdminSite) -> None:
    """Put every page of memwatch's on an admin site of your own as well; call it in the module that makes the site."""
    for model, own in list(admin.site._registry.items()):
        if model._meta.app_label == "memwatch" and not site.is_registered(model):
            site.register(model, type(own))
