"""The pages of releases and of types: where they run, what leaks with them."""

from __future__ import annotations

from datetime import datetime
from fnmatch import fnmatchcase

from django.db.models import Count, Q
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch.admin import formats
from memwatch.admin.leaks import tables
from memwatch.admin.panels import Line
from memwatch.admin.process_tables import process_state
from memwatch.admin.row_page import Cell, RowPage, Table, figure
from memwatch.models import ExpectedGrowth, Leak, ObjectType, Process, Release, Snapshot

MOST_ROWS = 20
MOST_LOOKED_AT = 300
"""Processes whose last census is read for one type."""
_PROCESS = ("process__host", "process__slot_number", "process__ended_at", "process__end_reason")


def release(row: Release, now: datetime) -> RowPage:
    """Who runs it, what leaks in it, and the releases before and after."""
    processes = Process.objects.filter(release=row, outside=False).order_by()
    alive = processes.filter(ended_at=None).count()
    leaks = Leak.objects.filter(process__release=row)
    found = leaks.select_related("service", "process__service").order_by("-detected_at")[: MOST_ROWS + 1]
    releases = Release.objects.filter(service=row.service_id).order_by("-first_seen_at", "-pk")
    around = list(releases.annotate(ran=Count("processes"))[:MOST_ROWS])
    leaking = dict(
        Leak.objects.filter(process__release__in=[each.pk for each in around])
        .order_by()
        .values_list("process__release")
        .annotate(Count("process", distinct=True))
    )
    newest = bool(around) and around[0].pk == row.pk
    return RowPage(
        title=row.name,
        subtitle=_("release of %s") % row.service,
        sentence=_release_sentence(alive, leaks.values("process").distinct().count(), newest=newest),
        tone="high" if leaks.filter(state__in=(Leak.State.OPEN, Leak.State.ACKNOWLEDGED)).exists() else "",
        facts=[
            formats.link(formats.page_url("service", row.service_id), row.service.name),
            format_html(_("first seen {}"), formats.when(row.first_seen_at, now)),
        ],
        tiles=[
            Line(
                label=_("Processes alive"),
                value=formats.count(alive),
                url=formats.changelist("process", q=row.name, service__id__exact=row.service_id),
            ),
            Line(label=_("Processes in all"), value=formats.count(processes.count()), hint=_("still known")),
            Line(label=_("Leaks found"), value=formats.count(leaks.count())),
        ],
        tables=[
            _leak_table(_("Leaks found in it"), list(found), _("None was found in a process of this release."), now),
            Table(
                title=_("Releases of the service, newest first"),
                names=[_("Release"), _("First seen"), _("Processes"), _("With a leak")],
                cells=[
                    [
                        formats.link(formats.page_url("release", each.pk), each.name),
                        formats.when(each.first_seen_at, now),
                        figure(formats.count(each.ran), each.ran),
                        figure(formats.count(leaking.get(each.pk, 0)), leaking.get(each.pk, 0)),
                    ]
                    for each in around
                ],
                empty="",
            ),
        ],
    )


def _release_sentence(alive: int, leaking: int, *, newest: bool) -> str:
    runs = ngettext("%s process runs it.", "%s processes run it.", alive) % formats.count(alive)
    if not alive:
        runs = _("No process runs it any more.") if not newest else _("It is the newest; no process runs it now.")
    leaks = ngettext(
        "A leak was found in %s of those that ran it.", "Leaks were found in %s of those that ran it.", leaking
    )
    return f"{runs} {leaks % formats.count(leaking) if leaking else _('No leak was found in it.')}"


def object_type(row: ObjectType, now: datetime) -> RowPage:
    """Which processes count it now, where it leaks, and whether its growth is expected."""
    alive = Process.objects.alive().filter(outside=False, last_snapshot__isnull=False)
    looked = list(alive.order_by("-last_seen_at").values_list("last_snapshot", flat=True)[: MOST_LOOKED_AT + 1])
    rows = Snapshot.objects.filter(pk__in=looked[:MOST_LOOKED_AT]).select_related("process__service")
    counted = [
        (snapshot.counts[str(row.pk)], snapshot)
        for snapshot in rows.only("counts", "timestamp", "process__service__name", *_PROCESS)
        if snapshot.counts and str(row.pk) in snapshot.counts
    ]
    counted.sort(key=lambda each: (-each[0], each[1].process_id))
    same = Leak.objects.filter(kind=Leak.Kind.OBJECTS, object_type=row.name)
    leaks = list(same.select_related("service", "process__service").order_by("-detected_at")[: MOST_ROWS + 1])
    rules = [
        rule
        for rule in ExpectedGrowth.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now)).select_related("service")
        if fnmatchcase(row.name, rule.type_pattern)
    ]
    note = ""
    if len(looked) > MOST_LOOKED_AT:
        note = _("Of the %s processes that reported last.") % formats.count(MOST_LOOKED_AT)
    return RowPage(
        title=row.name,
        subtitle=_("a type of Python objects"),
        sentence=_type_sentence(len(counted), leaks),
        tone="high" if any(leak.state in (Leak.State.OPEN, Leak.State.ACKNOWLEDGED) for leak in leaks) else "",
        tiles=[
            Line(
                label=_("Processes that report it"),
                value=formats.count(len(counted)),
                hint=_("among their most numerous types, or those that grow"),
            ),
            Line(label=_("Objects, at most"), value=formats.count(counted[0][0] if counted else None)),
            Line(label=_("Leaks found"), value=formats.at_most(len(leaks), MOST_ROWS)),
        ],
        tables=[
            Table(
                title=_("Processes with most of them"),
                names=[_("Process"), _("State"), _("Objects"), _("Counted")],
                cells=[
                    [
                        formats.link(formats.page_url("process", snapshot.process_id), str(snapshot.process)),
                        process_state(snapshot.process),
                        figure(formats.count(count), count),
                        formats.when(snapshot.timestamp, now),
                    ]
                    for count, snapshot in counted[:MOST_ROWS]
                ],
                empty=_("No process reports it now. Processes report their most numerous and fastest growing types."),
                note=note,
            ),
            _leak_table(_("Where it leaked"), leaks, _("It was never found to leak."), now),
            Table(
                title=_("Expected growth in force"),
                names=[_("Pattern"), _("Service"), _("Reason"), _("Until")],
                cells=[
                    [
                        formats.link(formats.page_url("expectedgrowth", rule.pk), rule.type_pattern),
                        str(rule.service or _("all")),
                        rule.reason,
                        formats.when(rule.expires_at, now) if rule.expires_at else _("for good"),
                    ]
                    for rule in rules
                ],
                empty=_("No pattern matches it: if it grows, a leak is opened."),
            ),
        ],
    )


def _type_sentence(processes: int, leaks: list[Leak]) -> str:
    open_ones = [leak for leak in leaks if leak.state in (Leak.State.OPEN, Leak.State.ACKNOWLEDGED)]
    if open_ones:
        return ngettext("It leaks: %d leak is open.", "It leaks: %d leaks are open.", len(open_ones)) % len(open_ones)
    if leaks:
        return _("It leaked before, and no leak of it is open now.")
    if processes:
        return _("It is counted and does not leak.")
    return _("It was reported once and is not among the types that are reported now.")


def _leak_table(title: str, leaks: list[Leak], empty: str, now: datetime) -> Table:
    cells: list[list[Cell | str | SafeString]] = []
    for leak in leaks[:MOST_ROWS]:
        row = tables.leak_row(leak, now)
        where = formats.link(row["where_url"], row["where"]) if row["where_url"] else row["where"]
        cells.append(
            [
                formats.link(row["url"], row["type"]),
                row["severity"],
                row["state"],
                where,
                figure(row["per_hour"], leak.growth_per_hour),
                formats.when(leak.detected_at, now),
            ]
        )
    return Table(
        title=title,
        names=[_("Type"), _("Severity"), _("State"), _("Where"), _("Growth an hour"), _("Detected")],
        cells=cells,
        empty=empty,
        note=_("There are more: look at the list of leaks.") if len(leaks) > MOST_ROWS else "",
    )
