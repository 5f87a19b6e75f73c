"""The list of snapshots: millions of rows, opened page by page without counting or skipping any."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from memwatch import queries
from memwatch.models import Process
from memwatch.queries import Cursor

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
        found, chosen = Process.objects.all(), False
        for name, lookup in ((SERVICE, "service"), (PROCESS, "pk")):
            if name in request.GET:
                text = request.GET[name]
                chosen = True
                found = found.filter(**{lookup: int(text)}) if _is_id(text) else found.none()
        for word in self.query.split():
            chosen = True
            match = Q(service__name__icontains=word) | Q(host__icontains=word) | Q(release__name__icontains=word)
            found = found.filter(match | Q(pid=int(word)) if _is_id(word) else match)
        return found if chosen else None


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18
