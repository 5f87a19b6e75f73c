"""The admin: memwatch's face for ops staff. Importing it registers every table on the default site."""

from django.contrib import admin
from django.contrib.admin import AdminSite

from memwatch.admin import doors
from memwatch.admin.alerts import admin as alerts_admin
from memwatch.admin.anomalies import admin as anomalies_admin
from memwatch.admin.anomalies import forecasts
from memwatch.admin.deaths import admin as deaths_admin
from memwatch.admin.fleet import admin as fleet_admin
from memwatch.admin.fleet import processes
from memwatch.admin.leaks import admin as leaks_admin
from memwatch.admin.leaks import expected_growth, track_record
from memwatch.admin.operations import admin as operations_admin
from memwatch.admin.operations import index as operations_index
from memwatch.admin.overview import admin as overview_admin
from memwatch.admin.recommendations import admin as recommendations_admin
from memwatch.admin.recordings import admin as recordings_admin
from memwatch.admin.recordings import triggers
from memwatch.admin.recycling import admin as recycling_admin
from memwatch.admin.recycling import policies as recycling_policies
from memwatch.admin.snapshots import admin as snapshots_admin
from memwatch.admin.snapshots import baselines, rollups
from memwatch.admin.work import admin as work_admin

__all__ = [
    "alerts_admin",
    "anomalies_admin",
    "baselines",
    "deaths_admin",
    "expected_growth",
    "fleet_admin",
    "forecasts",
    "leaks_admin",
    "operations_admin",
    "operations_index",
    "overview_admin",
    "processes",
    "recommendations_admin",
    "recordings_admin",
    "recycling_admin",
    "recycling_policies",
    "register",
    "rollups",
    "snapshots_admin",
    "track_record",
    "triggers",
    "work_admin",
]


def register(site: AdminSite) -> None:
    """Put every page of memwatch's on an admin site of your own as well; call it in the module that makes the site."""
    for model, own in list(admin.site._registry.items()):
        if model._meta.app_label == "memwatch" and not site.is_registered(model):
            site.register(model, type(own))
    doors.show_card(site)


doors.show_card(admin.site)
