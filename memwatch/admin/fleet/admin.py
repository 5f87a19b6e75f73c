"""Services, releases and the interned type names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch import queries
from memwatch.admin import columns, formats, panels
from memwatch.admin.base import BoundedPaginator, PageAdmin
from memwatch.admin.fleet import actions, pages, sharing
from memwatch.admin.leaks import tables
from memwatch.admin.overview import tables as overview_tables
from memwatch.admin.panels import Table, figure
from memwatch.admin.process_tables import process_table
from memwatch.admin.recommendations import admin as recommendations_admin
from memwatch.admin.row_page import RowAdmin, RowPage
from memwatch.models import Leak, ObjectType, Process, Release, Service
from memwatch.queries import LeakGlance, ProcessFigures
from memwatch.queries.baselines import newest_baselines
from memwatch.queries.leaks import leaks_by_id
from memwatch.queries.processes.fleet import alive_of_service
from memwatch.queries.processes.releases import newest_releases
from memwatch.queries.processes.sharing import sharing_of
from memwatch.queries.releases.compare import release_before, release_of_service

SHOWN_RELEASES = 5
SHOWN_BASELINES = 5
SHOWN_PROCESSES = 200
SHOWN_LEAKS = 30


def _list_of(model: str, service: Service, number: int) -> SafeString:
    """How many rows of it the service has, as a link to their list."""
    return formats.link(formats.changelist(model, service__id__exact=service.pk), formats.count(number))


@admin.register(Service)
class ServiceAdmin(PageAdmin):
    list_display = ("name", "alive", "rss", "open_leaks", "first_seen")
    search_fields = ("name",)
    search_help_text = gettext_lazy("Part of the name")
    about = gettext_lazy("Groups of processes that run the same program, e.g. web, worker, beat.")
    empty = gettext_lazy(
        "No service yet. Add memwatch to the INSTALLED_APPS of the site and restart its processes; "
        "MEMWATCH_SERVICE in their environment names the service."
    )
    acts = (actions.SNAPSHOT_SERVICE, actions.RESET_SERVICE)
    related: ClassVar = {
        "release": "service", "baseline": "service", "alert": "service", "expectedgrowth": "service",
        "trigger": "services", "workrollup": "service", "death": "service", "recycle": "service",
        "recyclingpolicy": "service",
    }  # fmt: skip
    page_template = "admin/memwatch/service/page.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Service]:
        leaks = Leak.objects.active().filter(service=OuterRef("pk")).order_by().values("service")
        alive = Process.objects.alive().filter(service=OuterRef("pk")).order_by().values("service")
        rows: QuerySet[Service] = super().get_queryset(request)
        # Each a look at the living alone: a join would read the snapshots of all that ever lived.
        return rows.annotate(
            alive_processes=Coalesce(Subquery(alive.annotate(found=Count("pk")).values("found")), 0),
            alive_rss_kib=Subquery(alive.annotate(found=Sum("last_snapshot__rss_kib")).values("found")),
            leaks_open=Coalesce(Subquery(leaks.annotate(found=Count("object_type", distinct=True)).values("found")), 0),
        )

    alive = columns.figure(
        gettext_lazy("processes alive"),
        lambda service: _list_of("process", service, service.alive_processes),
        "alive_processes",
    )
    rss = columns.figure(gettext_lazy("total RSS"), lambda service: formats.kib(service.alive_rss_kib), "alive_rss_kib")
    open_leaks = columns.figure(
        gettext_lazy("open leaks"), lambda service: _list_of("leak", service, service.leaks_open), "leaks_open"
    )
    first_seen = columns.when(gettext_lazy("first seen"), "created_at")

    def page(self, request: HttpRequest, obj: Service) -> Mapping[str, Any]:
        now = timezone.now()
        items = queries.figures_of_processes(alive_of_service(obj, SHOWN_PROCESSES + 1), census=True)
        past = queries.recent(items, now).get(obj.pk)
        leaks = tables.worst_first(queries.leaks_at_a_glance(obj.pk))
        causes = tables.causes_of(leaks)
        whole = leaks_by_id(cause[0].pk for cause in causes[:SHOWN_LEAKS])
        return {
            "title": obj.name,
            "subtitle": _("service"),
            "tiles": self._tiles(items, causes, past),
            "spark": overview_tables.spark(past, len(items)),
            "processes": process_table(items[:SHOWN_PROCESSES], now),
            "more_processes": len(items) > SHOWN_PROCESSES,
            "processes_url": formats.changelist("process", service__id__exact=obj.pk, state="all"),
            "leaks": tables.cause_rows(causes[:SHOWN_LEAKS], whole, now),
            "more_leaks": max(0, len(causes) - SHOWN_LEAKS),
            "all_leaks_url": formats.changelist("leak", service__id__exact=obj.pk, state="all"),
            "fit_url": recommendations_admin.url(obj.pk),
            "sharing": sharing.panel(sharing_of(obj, now=now)),
            "baselines": self._baselines(obj, now),
            "releases": [
                {
                    "url": formats.page_url("release", release.pk),
                    "name": release.name,
                    "seen": formats.when(release.first_seen_at, now),
                    "says": release.changes.get("says") or "",
                }
                for release in newest_releases(obj.pk, SHOWN_RELEASES)
            ],
        }

    def _tiles(
        self, items: Sequence[ProcessFigures], causes: Sequence[Sequence[LeakGlance]], past: queries.Recent | None
    ) -> list[panels.Line]:
        known = [item.figures for item in items if item.figures is not None]
        rss = [figures.rss_mb for figures in known if figures.rss_mb is not None]
        heap = [figures.heap_used_mb for figures in known if figures.heap_used_mb is not None]
        shares = [figures.heap_percent for figures in known if figures.heap_percent is not None]
        return [
            panels.Line(label=_("Processes alive"), value=formats.count(len(items))),
            panels.Line(label=_("Total RSS"), value=formats.megabytes(sum(rss) if rss else None)),
            panels.Line(label=_("Total heap used"), value=formats.megabytes(sum(heap) if heap else None)),
            panels.Line(
                label=_("Fullest heap"), value=formats.percent(max(shares, default=None)), hint=_("of its limit")
            ),
            panels.Line(
                label=_("Fastest growth per hour"),
                value=formats.signed_megabytes(past.growth_mb_per_hour if past else None),
                hint=_("RSS of one process"),
            ),
            panels.Line(
                label=_("Open leaks"), value=formats.count(len(causes)), tone=causes[0][0].severity if causes else ""
            ),
        ]

    def _baselines(self, service: Service, now: datetime) -> Table:
        return Table(
            title=_("Baselines of the service"),
            names=[_("Set"), _("By"), _("Reason"), _("Heap used"), _("Objects"), _("In force")],
            cells=[
                [
                    formats.link_to(row, formats.when(row.created_at, now)),
                    str(row.created_by or _("memwatch")),
                    row.reason,
                    figure(formats.kib(row.heap_used_kib), row.heap_used_kib),
                    figure(formats.count(row.total_objects), row.total_objects),
                    _("yes") if row.active else _("no"),
                ]
                for row in newest_baselines(service, SHOWN_BASELINES)
            ],
            empty=_("None: each process is compared with its own first snapshot."),
        )


@admin.register(Release)
class ReleaseAdmin(RowAdmin):
    list_display = ("name", "service", "first_seen", "alive", "change")
    list_filter = ("service",)
    search_fields = ("name", "service__name")
    search_help_text = gettext_lazy("Release or service")
    about = gettext_lazy(
        "Versions of the services, as their processes report them, and what each version changed. "
        "Charts mark them and leaks name them."
    )
    empty = gettext_lazy(
        "No process reports a release. Set MEMWATCH_RELEASE in the environment of your processes, e.g. to the deployed "
        "tag or commit: leaks then name the release that introduced them."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Release]:
        alive = Process.objects.alive().filter(release=OuterRef("pk"), outside=False).order_by().values("release")
        rows: QuerySet[Release] = super().get_queryset(request).select_related("service")
        return rows.annotate(running=Coalesce(Subquery(alive.annotate(found=Count("pk")).values("found")), 0))

    first_seen = columns.when(gettext_lazy("first seen"), "first_seen_at")
    alive = columns.figure(gettext_lazy("processes alive"), lambda release: formats.count(release.running), "running")

    change = columns.text(gettext_lazy("change"), lambda release: str(release.changes.get("says") or ""))

    def page(self, request: HttpRequest, obj: Release) -> Mapping[str, Any]:
        """``?from=`` chooses the release that it is compared with, else it is the one before."""
        asked = request.GET.get("from", "")
        before = (release_of_service(obj.service_id, asked) if asked else None) or release_before(obj)
        return self.context(pages.release(obj, timezone.now(), before))


@admin.register(ObjectType)
class ObjectTypeAdmin(RowAdmin):
    list_display = ("shown_name",)
    search_fields = ("name",)
    search_help_text = gettext_lazy("Part of the name")
    paginator = BoundedPaginator
    about = gettext_lazy("Python types that any process has reported, with the processes that have most of them.")
    empty = gettext_lazy("No census yet: the first comes with the first snapshots.")

    shown_name = columns.text(gettext_lazy("type"), lambda row: formats.type_name(row.name), "name")

    def row_page(self, obj: ObjectType, now: datetime) -> RowPage:
        return pages.object_type(obj, now)
