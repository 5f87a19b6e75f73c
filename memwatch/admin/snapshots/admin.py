"""Snapshots: the read-only list, and the page of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch import queries
from memwatch.admin import columns, formats, panels
from memwatch.admin.base import PageAdmin
from memwatch.admin.snapshots import comparison
from memwatch.models import Baseline, Process, Snapshot
from memwatch.queries import Cursor
from memwatch.queries.processes.lookup import found_by_words
from memwatch.queries.row_ids import is_id
from memwatch.queries.series.snapshots import id_of_the_one_before

OLDER, NEWER = "before", "after"
"""In the URL: the page with the snapshots before one, or after one."""
SERVICE, PROCESS = "process__service__id__exact", "process__id__exact"


class SnapshotList(ChangeList):
    """Django's change list with pages by keyset. Filters and search choose processes, of which there are few."""

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in (OLDER, NEWER)}

    def get_results(self, request: HttpRequest) -> None:
        page = queries.newest_snapshots(self.processes(request), cursor=self.cursor(request), count=self.list_per_page)
        self.result_list = page.rows
        self.result_count = len(page.rows)
        self.full_result_count = self.result_count  # of the page: nothing is counted, nothing is said
        self.show_admin_actions = bool(page.rows)
        self.can_show_all, self.multi_page = True, False
        self.paginator = Paginator(page.rows, self.list_per_page)
        self.older = self.get_query_string({OLDER: str(page.older)}, [NEWER]) if page.older else ""
        self.newer = self.get_query_string({NEWER: str(page.newer)}, [OLDER]) if page.newer else ""
        self.newest = self.get_query_string({}, [OLDER, NEWER]) if page.newer else ""

    def cursor(self, request: HttpRequest) -> Cursor | None:
        """Where the page begins; anything unknown is the beginning."""
        if NEWER in request.GET:
            return Cursor.parse(request.GET[NEWER], newer=True)
        return Cursor.parse(request.GET.get(OLDER, ""))

    def processes(self, request: HttpRequest) -> QuerySet[Process] | None:
        """Those whose snapshots are listed; ``None``: all."""
        asked = {"service": request.GET.get(SERVICE), "process": request.GET.get(PROCESS)}
        ids = {name: int(text) if is_id(text) else 0 for name, text in asked.items() if text is not None}
        words = self.query.split()
        return found_by_words(words, **ids) if ids or words else None


class FiguresAdmin(PageAdmin):
    """What snapshots and baselines share."""

    rss = columns.figure(gettext_lazy("RSS"), lambda row: formats.kib(row.rss_kib))
    heap = columns.figure(gettext_lazy("heap used"), lambda row: formats.kib(row.heap_used_kib))
    objects = columns.figure(gettext_lazy("objects"), lambda row: formats.count(row.total_objects))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The list does without the large columns."""
        rows: QuerySet[Any] = super().get_queryset(request)
        match = request.resolver_match
        listed = match is not None and match.url_name == f"memwatch_{self.opts.model_name}_changelist"
        return rows.defer("counts", "extras") if listed else rows


@admin.register(Snapshot)
class SnapshotAdmin(FiguresAdmin):
    """Millions of rows: see :mod:`memwatch.admin.snapshots.admin`."""

    list_display = ("taken", "process", "rss", "heap", "objects", "pause")
    list_filter = ("process__service",)
    sortable_by = ()
    search_fields = ("process",)
    search_help_text = gettext_lazy("Service, host, pid or release of the process")
    actions = ("compare_two",)
    about = gettext_lazy("Figures of one process at one moment, newest first.")
    empty = gettext_lazy(
        "No snapshot yet. A process takes the first within seconds of its start; “manage.py memwatch_doctor” finds out "
        "why none arrives."
    )
    page_template = "admin/memwatch/snapshot/page.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return SnapshotList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Snapshot], search_term: str
    ) -> tuple[QuerySet[Snapshot], bool]:
        # The list itself looks for processes.
        return queryset, False

    @admin.action(permissions=["view"], description=gettext_lazy("Compare two snapshots"))
    def compare_two(self, request: HttpRequest, queryset: QuerySet[Snapshot]) -> HttpResponse | None:
        chosen = list(queryset.order_by("timestamp").values_list("pk", flat=True)[:3])
        if len(chosen) != 2:
            self.message_user(request, _("Select exactly two snapshots to compare."), messages.WARNING)
            return None
        query = urlencode({"from": chosen[0], "to": chosen[1]})
        return HttpResponseRedirect(f"{reverse('admin:memwatch_snapshot_compare')}?{query}")

    taken = columns.when(gettext_lazy("taken"), "timestamp")
    pause = columns.figure(
        gettext_lazy("census pause"),
        lambda row: formats.milliseconds(None if row.census_pause_us is None else row.census_pause_us / 1000),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.for_viewers(self.compare_view)
        return [path("compare/", view, name="memwatch_snapshot_compare"), *super().get_urls()]

    def compare_view(self, request: HttpRequest) -> HttpResponse:
        """Two snapshots side by side; with ``format=csv`` or ``format=json`` as a file."""
        kind = request.GET.get("format")
        if kind in ("csv", "json"):
            try:
                found = comparison.pair(request.GET, comparison.process_asked(request.GET))
            except comparison.NotThere as error:
                return HttpResponseNotFound(str(error), content_type="text/plain; charset=utf-8")
            if found is not None:
                return comparison.download(found, kind)
        context = comparison.page(request.GET, timezone.now())
        return self.rendered(request, "admin/memwatch/compare/page.html", context)

    def page(self, request: HttpRequest, obj: Snapshot) -> Mapping[str, Any]:
        figures = queries.figures_of(obj)
        baseline = queries.baseline_of(obj.process)
        return {
            "title": _("Snapshot of %s") % obj.process,
            "crumb": _("%(process)s, %(at)s") % {"process": obj.process, "at": formats.exact(obj.timestamp)},
            "subtitle": formats.exact(obj.timestamp),
            "facts": [
                formats.link_to(obj.process),
                formats.when(obj.timestamp),
                _("received %s") % formats.exact(obj.received_at),
                _("snapshot number %s") % formats.count(obj.seq),
            ],
            "comparisons": self._comparisons(obj, baseline),
            "types": panels.types_now(queries.compare(baseline, obj) if baseline else None, figures, title=_("Types")),
            "containers": panels.container_table(figures.big_containers),
            "memory_lines": panels.memory_lines(figures),
            "object_lines": panels.object_lines(figures),
        }

    def _comparisons(self, snapshot: Snapshot, baseline: Baseline | None) -> list[dict[str, str]]:
        """With what it can be compared at once."""
        last = snapshot.process.last_snapshot_id
        pairs = (
            (_("with the baseline"), f"baseline-{baseline.pk}" if baseline else None, snapshot.pk),
            (_("with the previous snapshot"), id_of_the_one_before(snapshot), snapshot.pk),
            (_("with the last snapshot"), snapshot.pk, last if last != snapshot.pk else None),
        )
        url = reverse("admin:memwatch_snapshot_compare")
        return [
            {"label": label, "url": f"{url}?{urlencode({'from': first, 'to': second})}"}
            for label, first, second in pairs
            if first and second
        ]
