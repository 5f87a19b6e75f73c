"""A leak as an investigation: the chain of evidence as steps, each with what is known or what would measure it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memwatch.admin import formats
from memwatch.admin.leaks import evidence, heap, jobs, recorded
from memwatch.admin.leaks.step import Step
from memwatch.admin.panels import Line
from memwatch.models import Leak, Recording
from memwatch.queries import Point
from memwatch.queries.processes.releases import InRelease
from memwatch.records import MemorySnapshot
from memwatch.services.recordings.leak_heaps import LeakHeap

STILL_MB = 1.0
"""A smaller change of memory counts as none."""
MOST, LITTLE = 0.7, 0.3
"""Shares of the growth of RSS that make heap its cause, and that rule it out."""
_RECORDED = ("grows-with", "allocations", "referrers")
"""Steps that recordings answer."""


def steps(
    leak: Leak,
    points: Sequence[Point],
    figures: MemorySnapshot | None,
    *,
    releases: Sequence[InRelease],
    recordings: Sequence[Recording] | None,
    beside: Sequence[Leak] = (),
    dumped: LeakHeap | None = None,
    may_dump: bool = False,
) -> list[Step]:
    """From the process's memory down to the line of code. ``points``: those shown; ``figures``: the last snapshot.

    ``recordings``: ``None`` where the user may not see them. ``beside``: the other leaks of its process. ``dumped``:
    what a heap dump says of it; ``may_dump``: whether the user may see such a thing.
    """
    made = recordings or ()
    found = [
        _rss(leak, points),
        _heap(points),
        _types(leak, figures),
        jobs.step(leak, made),
        _grows_with(leak, beside, made),
        _allocations(leak, made),
        _referrers(leak, made),
        *([heap.step(leak, dumped)] if may_dump and leak.kind != Leak.Kind.NATIVE else ()),
        _release(releases),
    ]
    return found if recordings is not None else [_unseen(step) for step in found]


def _unseen(step: Step) -> Step:
    """For a user without the permission: what only a recording answers does not claim that there is none."""
    if step.known or step.key not in _RECORDED:
        return step
    text = _("A recording may answer this. You need the permission “Can view recording” to see recordings.")
    return dataclasses.replace(step, missing=text)


def _rss(leak: Leak, points: Sequence[Point]) -> Step:
    title = _("Does the memory of the process grow?")
    known = [point for point in points if "rss_mb" in point.figures]
    if len(known) < 2:
        return Step(key="rss", title=title, missing=_nothing_shown(leak), by_snapshot=True)
    first, last = (point.figures["rss_mb"][1] for point in (known[0], known[-1]))
    words = {
        "first": formats.megabytes(first),
        "last": formats.megabytes(last),
        "gain": formats.signed_megabytes(last - first),
        "time": formats.duration((known[-1].at - known[0].at).total_seconds()),
    }
    if abs(last - first) < STILL_MB:
        answer = _("Hardly: RSS went from %(first)s to %(last)s in %(time)s.")
    elif last < first:
        answer = _("Not in the time shown: RSS fell from %(first)s to %(last)s in %(time)s.")
    else:
        answer = _("Yes: RSS rose from %(first)s to %(last)s in %(time)s (%(gain)s).")
    rate = evidence.memory_rate(leak)
    lines = [Line(label=_("Growth as judged"), value=rate)] if rate else []
    if leak.process_id is None:
        lines.append(Line(label=_("Process shown"), value=_("a typical one"), hint=_("with the median growth of RSS")))
    return Step(key="rss", title=title, answer=answer % words, lines=lines)


def _heap(points: Sequence[Point]) -> Step:
    title = _("Is it the heap?")
    both = [point for point in points if {"rss_mb", "heap_used_mb"} <= point.figures.keys()]
    if len(both) < 2:
        text = _(
            "There are too few snapshots with both RSS and heap in this time, or this platform does not "
            "report the heap."
        )
        return Step(key="heap", title=title, missing=text, by_snapshot=True)
    first, last = both[0].figures, both[-1].figures
    rss, heap = (last[name][1] - first[name][1] for name in ("rss_mb", "heap_used_mb"))
    words = {"rss": formats.signed_megabytes(rss), "heap": formats.signed_megabytes(heap)}
    if rss < STILL_MB:
        answer = _("RSS changed by %(rss)s and the heap in use by %(heap)s: too little to compare.")
        if heap >= STILL_MB:
            answer = _("The heap in use grew (%(heap)s) into memory that the process already had (RSS %(rss)s).")
    elif heap / rss >= MOST:
        words["share"] = formats.percent(min(100.0, heap / rss * 100))
        answer = _("Yes: %(share)s of the growth of RSS (%(rss)s) is heap in use: objects and their buffers.")
    elif heap / rss <= LITTLE:
        answer = _(
            "No: RSS changed by %(rss)s, the heap in use only by %(heap)s. Possible causes: "
            "fragmentation, extension modules that map memory themselves, and the stacks of threads."
        )
    else:
        answer = _("In part: RSS changed by %(rss)s, the heap in use by %(heap)s.")
    lines = []
    if "pymalloc_used_mb" in first and "pymalloc_used_mb" in last:
        small = last["pymalloc_used_mb"][1] - first["pymalloc_used_mb"][1]
        lines = [
            Line(label=_("Small blocks (pymalloc)"), value=formats.signed_megabytes(small), hint=_("up to 512 bytes")),
            Line(label=_("The rest (malloc)"), value=formats.signed_megabytes(heap - small)),
        ]
    check = ("trim",) if rss >= STILL_MB and heap / rss < MOST else ()
    return Step(key="heap", title=title, answer=answer % words, lines=lines, by_recording=check)


def _types(leak: Leak, figures: MemorySnapshot | None) -> Step:
    title = _("What grows?")
    grown = _("%(growth)s (%(percent)s)") % {
        "growth": evidence.growth(leak, leak.growth_count),
        "percent": formats.signed_percent(leak.growth_percent),
    }
    answer = format_html("{}: {}.", evidence.what_grows(leak), grown)
    lines = []
    modules = evidence.extension_modules(leak)
    if modules:
        lines.append(Line(label=_("Extension modules loaded"), value=modules, hint=_("one of them may hold it")))
    size = (figures.type_sizes or {}).get(leak.object_type) if figures else None
    if size and leak.kind == Leak.Kind.OBJECTS:
        lines.append(
            Line(
                label=_("Size of one object"),
                value=_("%s bytes") % formats.count(size),
                hint=_("without what it refers to"),
            )
        )
    return Step(key="types", title=title, answer=answer, lines=lines, by_snapshot=True)


def _grows_with(leak: Leak, beside: Sequence[Leak], recordings: Sequence[Recording]) -> Step:
    title = _("What grows with it, and what holds it?")
    held, held_hint = evidence.held(leak)
    name = evidence.held_in(leak)
    recorded_holder = next((found for each in recordings if (found := recorded.holder(each))), "")
    if recorded_holder:  # what was measured within the process: the two must not say different things
        held, held_hint, name = "", "", ""
    names = evidence.grows_with(leak)
    lines = []
    if held:
        lines.append(Line(label=_("Held in"), value=held, hint=held_hint))
    if names:
        lines.append(Line(label=_("Grows with it"), value=names, hint=_("probably for the same reason")))
    if beside:
        lines.append(Line(label=_("Other leaks"), value=_links(beside), hint=_("in the same process")))
    if not lines:
        return Step(
            key="grows-with", title=title, answer=recorded_holder,
            missing=_(
                "No other type grows in step with it, and no large container is known to hold it. Record its referrers "
                "to see what refers to it."
            ),
            by_recording=("referrers",) if leak.kind == Leak.Kind.OBJECTS else ("heap_summary",),
        )  # fmt: skip
    answer: str | SafeString = _("Other types grow in step with it.")
    if not names:
        answer = _("The process has other leaks. One that grows by nearly as much probably has the same cause.")
    if name:
        answer = format_html(_("It is held in {}."), formats.type_name(name))
    elif recorded_holder:
        answer = recorded_holder
    elif held:
        answer = _("A container without a name holds it.")
    return Step(key="grows-with", title=title, answer=answer, lines=lines)


def _links(leaks: Sequence[Leak]) -> SafeString:
    """With how much each has grown, to be compared with this one."""
    return format_html_join(
        ", ",
        "{} ({})",
        (
            (
                formats.link_to(each, evidence.name_of(each)),
                formats.leak_growth(each.kind, each.growth_count),
            )
            for each in leaks
        ),
    )


def _allocations(leak: Leak, recordings: Sequence[Recording]) -> Step:
    kinds = ("allocations", "flamegraph")
    return _by_recording(
        "allocations",
        _("Where is it allocated?"),
        [each for each in recordings if each.kind in kinds],
        recorded.first_site,
        missing=_("Not recorded yet. A recording names the file, line and function that allocate it."),
        kinds=kinds[::-1] if leak.kind == Leak.Kind.NATIVE else kinds,
    )


def _referrers(leak: Leak, recordings: Sequence[Recording]) -> Step:
    kinds = ("referrers", "heap_summary")
    missing = _("Not recorded yet. A recording shows the chain of references up to a name in a module.")
    if leak.kind != Leak.Kind.OBJECTS:
        missing = _("Not recorded yet. The growing memory has no type: record allocation sites first.")
    made = [each for each in recordings if each.kind in kinds]
    return _by_recording("referrers", _("What refers to it?"), made, recorded.holder, missing=missing, kinds=kinds)


def _by_recording(
    key: str,
    title: str,
    made: Sequence[Recording],
    read: Callable[[Recording], SafeString | str],
    *,
    missing: str,
    kinds: Sequence[str],
) -> Step:
    """A question that recordings answer: by what the first of them says, ``read``."""
    answer = next((found for each in made if (found := read(each))), "")
    if not answer and any(recorded.is_done(each) for each in made):
        answer = _("A recording is done. Open it below.")
    rows = [recorded.row(each) for each in made]
    return Step(key=key, title=title, answer=answer, missing=missing, by_recording=kinds, recordings=rows)


def _release(releases: Sequence[InRelease]) -> Step:
    title = _("Since which release?")
    found = [each for each in releases if each.leaking]
    rows = [
        {
            "name": each.name,
            "url": formats.page_url("release", each.pk),
            "seen": formats.when(each.first_seen_at),
            "processes": formats.count(each.processes),
            "leaking": formats.count(each.leaking),
        }
        for each in releases
    ]
    if not releases:
        text = _("The processes do not say which release they run: set MEMWATCH_RELEASE in their environment.")
        return Step(key="release", title=title, missing=text)
    if not found:
        text = _("No single process of a known release had this leak.")
        return Step(key="release", title=title, missing=text, releases=rows)
    first = found[0]
    before = releases[: releases.index(first)]
    clean = sum(each.processes for each in before)
    if clean:
        text = ngettext(
            "It came with release {}: the only process of the earlier releases did not have it.",
            "It came with release {}: none of the %d processes of the earlier releases had it.",
            clean,
        )
        answer = format_html(text % clean if "%d" in text else text, first.name)
    else:
        answer = format_html(_("The oldest known release, {}, already had it."), first.name)
    return Step(key="release", title=title, answer=answer, releases=rows)


def _nothing_shown(leak: Leak) -> str:
    if leak.process_id is None:
        return _(
            "This leak was found across many short-lived processes of the service. None of them has "
            "figures in the time shown: choose a longer time."
        )
    return _("There are fewer than two snapshots in the time shown. Choose a longer time, or take a snapshot.")
