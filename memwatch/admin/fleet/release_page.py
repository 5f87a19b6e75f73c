"""What a release changed, as tables of its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.admin.panels import Cell, Table, figure
from memwatch.detection.releases import comparison as verdicts
from memwatch.detection.releases import figures as names
from memwatch.detection.releases.comparison import Change
from memwatch.detection.releases.figures import COMPARED
from memwatch.detection.releases.imports import BY_MODULES, BY_VERSION, PackageChange
from memwatch.detection.releases.result import Comparison, headline

WORDS: Mapping[str, Promise] = {
    verdicts.MORE: gettext_lazy("more"),
    verdicts.LESS: gettext_lazy("less"),
    verdicts.SAME: gettext_lazy("no change"),
    verdicts.UNCLEAR: gettext_lazy("unclear"),
    verdicts.UNKNOWN: gettext_lazy("not known yet"),
}
"""The verdicts."""
_BASES: Mapping[str, Promise] = {
    BY_MODULES: gettext_lazy("by its new modules"),
    BY_VERSION: gettext_lazy("the only dependency with another version"),
}
_SHOWN: Mapping[str, Callable[[float], str]] = {
    names.MB: formats.megabytes,
    names.COUNT: lambda value: formats.count(round(value)),
    names.MB_AN_HOUR: lambda value: _("%s an hour") % formats.megabytes(value),
    names.KIB_A_JOB: lambda value: _("%s KB") % formats.decimal(value),
    names.AN_HOUR: lambda value: _("%s an hour") % formats.decimal(value),
    names.S_AN_HOUR: lambda value: _("%s s an hour") % formats.decimal(value),
}
MOST_PACKAGES = 40


def sentence(found: Comparison | None) -> str:
    """What changed against which release, in one sentence."""
    if found is None:
        return _("No earlier release of the service is known: there is nothing to compare it with.")
    return _("Against %(before)s: %(says)s.") % {"before": _name(found, found.before.service), "says": headline(found)}


def takes_more(found: Comparison | None) -> bool:
    """Whether any of its figures is larger."""
    return found is not None and any(change.verdict == verdicts.MORE for change in found.figures.values())


def tables(found: Comparison | None) -> list[Table]:
    """Figures, dependencies, objects and peaks; none without a release before."""
    return [] if found is None else [_figures(found), _imports(found), *_objects(found), _peaks(found)]


def _name(found: Comparison, service: str) -> str:
    side = found.before
    return side.name if service == found.after.service else f"{service} {side.name}"


def _figures(found: Comparison) -> Table:
    at = _("“At birth” is in the automatic baseline, after the warm-up. “Later” is %s.") % (
        found.at or _("not reached yet")
    )
    return Table(
        title=_("What changed, for each process"),
        names=[
            _("Figure"), found.before.name, found.after.name, _("Difference"), _("Between"), "p", _("Processes"),
            _("Verdict"),
        ],
        cells=[
            [_(COMPARED[change.name].label), *_compared(change, COMPARED[change.name].unit), *_tested(change)]
            for change in found.figures.values()
        ],
        note=" ".join(
            [
                _("Figures are medians of the processes."),
                _("The difference is Hodges and Lehmann's, “between” is its interval with a confidence of 95 %."),
                _("p says how likely chance alone makes such a difference (Mann and Whitney's test)."),
                at,
                *([_("Missing: %s.") % found.missing] if found.missing else []),
            ]
        ),
    )  # fmt: skip


def _compared(change: Change, unit: str) -> list[Cell]:
    shown = _SHOWN[unit]
    news = "up" if change.verdict == verdicts.MORE else ""
    return [
        figure(_text(shown, change.before), change.before),
        figure(_text(shown, change.after), change.after),
        figure(_signed(shown, change.shift), change.shift, news),
    ]


def _tested(change: Change) -> list[Cell | str]:
    between = formats.NOT_MEASURED
    if change.low is not None and change.high is not None:
        between = f"{change.low:+,.1f} … {change.high:+,.1f}"
    return [
        figure(between, change.low),
        figure(formats.NOT_MEASURED if change.p is None else f"{change.p:.3f}", change.p),
        _("%(before)d and %(after)d") % {"before": change.processes_before, "after": change.processes_after},
        str(WORDS[change.verdict]),
    ]


def _text(shown: Callable[[float], str], value: float | None) -> str:
    return formats.NOT_MEASURED if value is None else shown(value)


def _signed(shown: Callable[[float], str], value: float | None) -> str:
    if value is None:
        return formats.NOT_MEASURED
    return f"{'+' if value > 0 else '-' if value < 0 else ''}{shown(abs(value))}"


def _imports(found: Comparison) -> Table:
    known = found.imports
    rows = known.packages[:MOST_PACKAGES]
    notes = [
        _("The memory of a package is an estimate: the growth at birth, divided among the new modules."),
        _("To measure it, compare heap dumps of one process of each release."),
    ]
    if known.unexplained_mb:
        notes.insert(0, _("%s are not explained.") % formats.megabytes(known.unexplained_mb))
    if known.modules_before is not None and known.modules_after is not None:
        text = _("A process has imported %(before)s modules before and %(after)s after, on average.")
        notes.append(
            text % {
                "before": formats.count(round(known.modules_before)),
                "after": formats.count(round(known.modules_after)),
            }
        )  # fmt: skip
    return Table(
        title=_("Dependencies and imports that changed"),
        names=[
            _("Package"), found.before.name, found.after.name, _("Modules before"), _("Modules after"),
            _("Memory, about"), _("Because"),
        ],
        cells=[_package(row) for row in rows],
        empty=_("None, as far as the processes report them.") if known.modules_after is not None
        else _("Its processes have not reported what they import yet: they do so half a minute after their start."),
        note=" ".join(notes),
    )  # fmt: skip


def _package(row: PackageChange) -> list[Cell | str]:
    return [
        formats.type_name(row.name),
        row.version_before or formats.NOT_MEASURED,
        row.version_after or formats.NOT_MEASURED,
        figure(_text(_SHOWN[names.COUNT], row.modules_before), row.modules_before),
        figure(_text(_SHOWN[names.COUNT], row.modules_after), row.modules_after),
        figure(_signed(formats.megabytes, row.mb), row.mb, "up" if row.mb else ""),
        str(_BASES.get(row.basis, "")),
    ]


def _objects(found: Comparison) -> list[Table]:
    return [
        _counts(_("Objects by package at birth"), _("Package"), found.packages, found),
        _counts(_("Objects by type at birth"), _("Type"), found.types, found),
    ]


def _counts(title: str, what: str, changes: Sequence[Change], found: Comparison) -> Table:
    return Table(
        title=title,
        names=[what, found.before.name, found.after.name, _("Difference"), _("Processes"), _("Verdict")],
        cells=[[formats.type_name(each.name), *_compared(each, names.COUNT), *_tested(each)[2:]] for each in changes],
        empty=_("No difference is known: it needs processes of both releases that have counted their objects."),
        note=_("Processes report only their most numerous types. The count of any other type is unknown, not 0."),
    )


def _peaks(found: Comparison) -> Table:
    empty = _("No view, task or command was measured in both releases.")
    if found.at_once:
        empty = _("Both releases ran in the same hours: the peaks of their jobs cannot be separated.")
    return Table(
        title=_("Peaks of jobs"),
        names=[_("Name"), _("Kind"), found.before.name, found.after.name, _("Calls"), _("Verdict")],
        cells=[
            [
                formats.type_name(each.name),
                each.kind,
                figure(formats.megabytes(each.before_mb), each.before_mb),
                figure(formats.megabytes(each.after_mb), each.after_mb, "up" if each.verdict == verdicts.MORE else ""),
                _("%(before)d and %(after)d") % {"before": each.calls_before, "after": each.calls_after},
                str(WORDS[each.verdict]),
            ]
            for each in found.peaks
        ],
        empty=empty,
        note=_("95 % of the calls rise by less than this. Only hours in which one release ran alone count."),
    )
