"""The pages of releases and of types: where they run, what leaks with them."""

from __future__ import annotations

from datetime import datetime

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch.admin import formats
from memwatch.admin.fleet import release_page
from memwatch.admin.leaks import tables
from memwatch.admin.panels import Cell, Line, Table, figure
from memwatch.admin.process_tables import process_state
from memwatch.admin.row_page import RowPage
from memwatch.models import Leak, ObjectType, Release
from memwatch.queries.leaks import expected_growth_of, leaks_of_type
from memwatch.queries.processes.releases import release_state, releases_with_leaks
from memwatch.queries.releases.compare import compare
from memwatch.queries.series.snapshots import newest_counts_of

MOST_ROWS = 20
MOST_LOOKED_AT = 300
"""Processes whose last census is read for one type."""


def release(row: Release, now: datetime, before: Release | None) -> RowPage:
    """What it changed against ``before``, who runs it, what leaks in it, and the releases before and after."""
    compared = None if before is None else compare(before, row, now)
    state = release_state(row, MOST_ROWS + 1)
    around = releases_with_leaks(row.service_id, MOST_ROWS)
    newest = bool(around) and around[0].pk == row.pk
    return RowPage(
        title=row.name,
        subtitle=_("release of %s") % row.service,
        sentence=f"{_release_sentence(state.alive, state.leaking, newest=newest)} {release_page.sentence(compared)}",
        tone="high" if state.leaks_now else "medium" if release_page.takes_more(compared) else "",
        facts=[
            formats.link_to(row.service),
            format_html(_("first seen {}"), formats.when(row.first_seen_at, now)),
        ],
        tiles=[
            Line(
                label=_("Processes alive"),
                value=formats.count(state.alive),
                url=formats.changelist("process", q=row.name, service__id__exact=row.service_id),
            ),
            Line(label=_("Processes in total"), value=formats.count(state.processes), hint=_("not yet pruned")),
            Line(label=_("Leaks found"), value=formats.count(state.leaks)),
        ],
        tables=[
            *release_page.tables(compared),
            _leak_table(_("Leaks found in this release"), state.newest, _("No leak was found in this release."), now),
            Table(
                title=_("Releases of the service, newest first"),
                names=[_("Release"), _("First seen"), _("Processes"), _("With a leak"), _("Comparison")],
                cells=[
                    [
                        formats.link(formats.page_url("release", each.pk), each.name),
                        formats.when(each.first_seen_at, now),
                        figure(formats.count(each.processes), each.processes),
                        figure(formats.count(each.leaking), each.leaking),
                        "" if each.pk == row.pk else formats.link(f"?from={each.pk}", _("compare with it")),
                    ]
                    for each in around
                ],
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
    counted, more = newest_counts_of(row, MOST_LOOKED_AT)
    leaks = leaks_of_type(row.name, MOST_ROWS + 1)
    note = ""
    if more:
        note = _("Only the %s processes that reported last were looked at.") % formats.count(MOST_LOOKED_AT)
    return RowPage(
        title=row.name,
        subtitle=_("a type of Python objects"),
        sentence=_type_sentence(len(counted), leaks),
        tone="high" if any(leak.state in (Leak.State.OPEN, Leak.State.ACKNOWLEDGED) for leak in leaks) else "",
        tiles=[
            Line(
                label=_("Processes that report it"),
                value=formats.count(len(counted)),
                hint=_("as one of their most numerous or fastest growing types"),
            ),
            Line(label=_("Most objects in one process"), value=formats.count(counted[0][0] if counted else None)),
            Line(label=_("Leaks found"), value=formats.at_most(len(leaks), MOST_ROWS)),
        ],
        tables=[
            Table(
                title=_("Processes with most of them"),
                names=[_("Process"), _("State"), _("Objects"), _("Counted")],
                cells=[
                    [
                        formats.link_to(snapshot.process),
                        process_state(snapshot.process),
                        figure(formats.count(count), count),
                        formats.when(snapshot.timestamp, now),
                    ]
                    for count, snapshot in counted[:MOST_ROWS]
                ],
                empty=_("No process reports it now. Processes report their most numerous and fastest growing types."),
                note=note,
            ),
            _leak_table(_("Where it leaked"), leaks, _("No leak of this type was found."), now),
            Table(
                title=_("Expected growth in force"),
                names=[_("Pattern"), _("Service"), _("Reason"), _("Until")],
                cells=[
                    [
                        formats.link_to(rule, rule.type_pattern),
                        str(rule.service or _("all")),
                        rule.reason,
                        formats.when(rule.expires_at, now) if rule.expires_at else _("permanent"),
                    ]
                    for rule in expected_growth_of(row.name, now)
                ],
                empty=_("No pattern matches it. If this type grows, memwatch opens a leak."),
            ),
        ],
    )


def _type_sentence(processes: int, leaks: list[Leak]) -> str:
    open_ones = [leak for leak in leaks if leak.state in (Leak.State.OPEN, Leak.State.ACKNOWLEDGED)]
    if open_ones:
        return ngettext("It leaks: %d leak is open.", "It leaks: %d leaks are open.", len(open_ones)) % len(open_ones)
    if leaks:
        return _("It leaked before. No leak is open now.")
    if processes:
        return _("It is counted and does not leak.")
    return _("No process reports it now.")


def _leak_table(title: str, leaks: list[Leak], empty: str, now: datetime) -> Table:
    cells: list[list[Cell | str]] = []
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
        names=[_("Type"), _("Severity"), _("State"), _("Where"), _("Growth per hour"), _("Detected")],
        cells=cells,
        empty=empty,
        note=_("There are more in the list of leaks.") if len(leaks) > MOST_ROWS else "",
    )
