"""The page of one service: the numbers, what they do to a week, the lines to paste, the calculation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memwatch.admin import formats
from memwatch.admin.panels import Cell, Line, Table, figure
from memwatch.admin.row_page import RowPage, Text
from memwatch.models import Service
from memwatch.recommendations import advice as names
from memwatch.recommendations import plan as plans
from memwatch.recommendations.advice import Advice, Setting
from memwatch.recommendations.lines import snippets
from memwatch.recommendations.sentence import jobs_row, sentence
from memwatch.recommendations.simulation import Outcome
from memwatch.records import KIB_PER_MB

STATES: Mapping[str, tuple[Promise, str]] = {
    plans.RECYCLE: (gettext_lazy("recycle"), "medium"),
    plans.NOT_NEEDED: (gettext_lazy("no recycling needed"), "good"),
    plans.UNKNOWN: (gettext_lazy("not known yet"), ""),
    plans.IMPOSSIBLE: (gettext_lazy("does not fit"), "high"),
}
"""In words, and the tone of the sentence."""
_OUTCOMES: Mapping[str, Promise] = {
    "recommended": gettext_lazy("Recommended"),
    "current": gettext_lazy("As it is now"),
    "every_100": gettext_lazy("A new worker every 100 jobs"),
}


def page(service: Service, advice: Advice) -> RowPage:
    """What the template shows."""
    state, tone = STATES[advice.state]
    return RowPage(
        title=service.name,
        subtitle=_("settings that fit"),
        state=formats.state_badge("", state),
        sentence=sentence(advice),
        tone=tone,
        facts=[
            formats.link(formats.page_url("service", service.pk), service.name),
            _("based on %s") % advice.based_on,
            *([advice.service.server] if advice.service.server else []),
        ],
        tiles=_tiles(advice),
        advice=[each.text for each in advice.findings if each.is_problem],
        tables=[_settings(advice), *([_week(advice)] if advice.outcomes else [])],
        texts=[
            *(Text(title=each.title, text=each.text, copied=True) for each in snippets(advice)),
            *([Text(title=_("Calculation"), text="\n".join(advice.steps))] if advice.steps else []),
        ],
    )


def state_badge(advice: Advice) -> SafeString:
    return formats.state_badge("", STATES[advice.state][0])


def jobs_text(advice: Advice) -> str:
    row = jobs_row(advice)
    return formats.NOT_MEASURED if row is None else value_text(row.name, row.recommended)


def current_jobs_text(advice: Advice) -> str:
    row = jobs_row(advice)
    return formats.NOT_MEASURED if row is None else value_text(row.name, row.current)


def peak_text(advice: Advice) -> str:
    outcome = advice.outcomes.get("recommended")
    return formats.megabytes(outcome.peak_mb if outcome else None)


def recycles_text(advice: Advice) -> str:
    outcome = advice.outcomes.get("recommended")
    return formats.NOT_MEASURED if outcome is None else formats.decimal(outcome.recycles_per_day)


def value_text(name: str, value: int | None) -> str:
    """A number of a setting; 0 is no limit."""
    if value is None:
        return formats.NOT_MEASURED
    if name in (names.REQUEST, names.LIMIT):
        return formats.megabytes(value)
    if not value:
        return _("none")
    return _("%s KB") % formats.count(value) if name == names.MEMORY else formats.count(value)


def _tiles(advice: Advice) -> list[Line]:
    plan, service = advice.plan, advice.service
    if advice.state == plans.UNKNOWN:
        return []
    shared = max((each.shared_mb for each in plan.fits), default=0.0)
    growth = max(plan.growths_mb(), default=0.0) * KIB_PER_MB
    return [
        Line(
            label=_("Target"),
            value=formats.megabytes(plan.target_mb),
            hint=_("of %s") % formats.megabytes(plan.limit_mb) if plan.limit_mb else _("no limit is known"),
        ),
        Line(label=_("Workers"), value=formats.count(plan.workers), hint=_("below this limit")),
        Line(
            label=_("Warm worker"),
            value=formats.megabytes(plans.rss_base_mb(plan)),
            hint=_("%s shared") % formats.megabytes(shared) if shared else "",
        ),
        Line(
            label=_("Largest job"),
            value=formats.megabytes(service.peaks.highest_mb if service.peaks else None),
            hint=service.peaks.highest_job if service.peaks else _("no peak was measured"),
        ),
        Line(label=_("Fastest growth per job"), value=_("%s KB") % formats.decimal(growth)),
        Line(
            label=_("Replaced a day"),
            value=formats.decimal(service.recycled_per_day) if service.recycled_per_day is not None else "",
            hint=_("counted in the last week"),
        ),
    ]


def _settings(advice: Advice) -> Table:
    cells: list[list[Cell | str]] = [
        [
            row.name,
            figure(value_text(row.name, row.current), row.current),
            figure(value_text(row.name, row.recommended), row.recommended),
            figure(_range(row), row.low),
            row.reason,
        ]
        for row in advice.settings
    ]
    return Table(
        title=_("Settings"),
        names=[_("Setting"), _("Now"), _("Recommended"), _("Low to high"), _("Why")],
        cells=cells,
        empty=_("Its server is not known: no setting can be recommended."),
        note=" ".join(
            [
                _("Low is calculated with a confidence of 99 %, high with 50 %."),
                *(each.text for each in advice.findings if not each.is_problem),
            ]
        ),
    )


def _range(row: Setting) -> str:
    if row.low is None and row.high is None:
        return formats.NOT_MEASURED
    low = "" if row.low is None else value_text(row.name, row.low)
    high = "" if row.high is None else value_text(row.name, row.high)
    return _("%(low)s to %(high)s") % {"low": low, "high": high} if low and high else low or high


def _week(advice: Advice) -> Table:
    limit = advice.plan.limit_mb
    return Table(
        title=_("What they would have done to the last week"),
        names=[_("Numbers"), _("Highest use"), _("Of the limit"), _("Replaced a day"), _("Jobs of a life")],
        cells=[_outcome(key, outcome, limit) for key, outcome in advice.outcomes.items()],
        note=_(
            "Simulated with the stored lives: all workers start together, none is restarted for another reason. Above "
            "the limit the kernel would have killed them."
        ),
    )


def _outcome(key: str, outcome: Outcome, limit: float | None) -> list[Any]:
    share = None if not limit else outcome.peak_mb / limit * 100
    over = share is not None and share > 100
    jobs = outcome.jobs_per_life
    return [
        str(_OUTCOMES[key]),
        figure(formats.megabytes(outcome.peak_mb), outcome.peak_mb, "up" if over else ""),
        figure(formats.percent(share), share, "up" if over else ""),
        figure(formats.decimal(outcome.recycles_per_day), outcome.recycles_per_day),
        figure(_("never replaced") if jobs is None else formats.count(round(jobs)), jobs),
    ]
