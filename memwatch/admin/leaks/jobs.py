"""Which view, task or command makes the leak grow: by its evidence, and by what its recordings saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memwatch.admin import formats
from memwatch.admin.leaks import evidence, recorded
from memwatch.admin.leaks.step import Step
from memwatch.admin.panels import Cell, Line, Table, figure
from memwatch.admin.work import page as work_page
from memwatch.models import Leak, Recording, WorkName
from memwatch.queries.leak_work import Culprit, Explanation, MadeIn, explanation_of, made_in
from memwatch.records.work import EVERY

SOURCES: Mapping[str, str | Promise] = {
    "direct": gettext_lazy("measured around its calls"),
    "regression": gettext_lazy("the leak grows with the number of its calls"),
}
UNITS: Mapping[str, str | Promise] = {
    Leak.Kind.OBJECTS: gettext_lazy("Objects per call"),
    Leak.Kind.UNTRACKED: gettext_lazy("Blocks per call"),
    Leak.Kind.NATIVE: gettext_lazy("KB per call"),
}
TOO_FEW = "few"
"""The remark that there is too little to compare yet."""
LONGEST = 200
MOST_MADE = 3
"""Jobs of a recording that are named."""


def step(leak: Leak, recordings: Sequence[Recording]) -> Step:
    """The step "Which job?"."""
    title = _("Which job makes it grow?")
    found = explanation_of(leak.evidence)
    seen = _seen(leak, recordings)
    table = _table(leak, found.culprits) if found and found.culprits else None
    kinds = ("referrers",) if leak.kind == Leak.Kind.OBJECTS and table is None and not seen else ()
    if found is not None and (table or found.remark != TOO_FEW):
        answer = found.sentence or _("No view, task or command explains the growth.")
        return Step(key="work", title=title, answer=answer, table=table, lines=seen, by_recording=kinds)
    answer = _("It is not certain yet. A recording saw in which calls such objects are made.") if seen else ""
    return Step(key="work", title=title, answer=answer, missing=_missing(found), lines=seen, by_recording=kinds)


def _missing(found: Explanation | None) -> str:
    if found is not None and found.sentence:
        return found.sentence
    return _(
        "memwatch has not compared the growth with the calls of views, tasks and commands yet. It does so every few "
        "minutes while the leak is open, if the processes report their calls."
    )


def _table(leak: Leak, culprits: Sequence[Culprit]) -> Table:
    unit = UNITS.get(leak.kind, UNITS[Leak.Kind.OBJECTS])
    if evidence.unit_of(leak) == "entries" or (leak.kind == Leak.Kind.UNTRACKED and evidence.held_in(leak)):
        unit = gettext_lazy("Entries per call")
    cells: list[list[Cell | str]] = [
        [
            _names(leak, culprit),
            figure(formats.precise(culprit.per_call), culprit.per_call),
            figure(_interval(culprit), culprit.low),
            figure(_share(culprit), culprit.share),
            str(SOURCES.get(culprit.source, culprit.source)),
        ]
        for culprit in culprits
    ]
    names = [_("Name"), str(unit), _("95 % interval"), _("Share of the growth"), _("How it was found")]
    note = ""
    if any(name == EVERY for culprit in culprits for _kind, name in culprit.works):
        note = _("All jobs of a kind add as much, whatever their name: no single one is the cause.")
    elif any(len(culprit.works) > 1 for culprit in culprits):
        note = _("Names in one row always run together: memwatch cannot say which of them it is.")
    return Table(title=_("What makes it grow, the largest share first"), names=names, cells=cells, note=note)


def _names(leak: Leak, culprit: Culprit) -> SafeString:
    """Each with its kind, as a link to its work."""
    return format_html_join(
        "",
        '<span class="mw-job"><a class="mw-type" href="{}">{}</a> <span class="mw-quiet">{}</span></span>',
        ((_page(leak, kind, name), _short(name), _kind(kind)) for kind, name in culprit.works),
    )


def _page(leak: Leak, kind: str, name: str) -> str:
    """Of the name, or of the kind where all of it is meant."""
    return work_page.url(leak.service_id, kind=kind) if name == EVERY else work_page.url(leak.service_id, name)


def _interval(culprit: Culprit) -> str:
    if culprit.low is None or culprit.high is None:
        return formats.NOT_MEASURED
    return _("%(low)s to %(high)s") % {"low": formats.precise(culprit.low), "high": formats.precise(culprit.high)}


def _share(culprit: Culprit) -> SafeString:
    if culprit.share is None:
        return SafeString(formats.NOT_MEASURED)
    share = min(1.0, max(0.0, culprit.share))
    return format_html("{} {}", formats.percent(share * 100), formats.bar(share))


def _seen(leak: Leak, recordings: Sequence[Recording]) -> list[Line]:
    """What the newest recording that looked saw."""
    for recording in recordings:
        made = made_in(recording.result) if recorded.is_done(recording) else ()
        if made:
            value = format_html_join("; ", "{}", ((_made(leak, each),) for each in made[:MOST_MADE]))
            return [Line(label=_("During a recording"), value=value)]
    return []


def _made(leak: Leak, made: MadeIn) -> SafeString:
    """``20 objects in 10 calls of the view shop:order``."""
    objects = ngettext("%s object made", "%s objects made", made.count) % formats.count(made.count)
    calls = ngettext("in %s call of the", "in %s calls of the", made.calls) % formats.count(made.calls)
    name = formats.link(work_page.url(leak.service_id, made.name), _short(made.name))
    return format_html("{} {} {} {}", objects, calls, _kind(made.kind), name)


def _kind(kind: str) -> str:
    return str(dict(WorkName.Kind.choices).get(kind, kind))


def _short(name: str) -> str:
    return Truncator(name).chars(LONGEST)
