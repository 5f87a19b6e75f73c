"""The page of one leak: the verdict, the curve, the chain of evidence, the rules, what to do, and who did what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from memwatch import queries
from memwatch.admin import formats, panels, runbooks
from memwatch.admin.leaks import charts as leak_charts
from memwatch.admin.leaks import curve, evidence, recorded, steps
from memwatch.admin.leaks.rules import rule_rows
from memwatch.admin.recycling import policies as recycling_policies
from memwatch.admin.recycling import words as recycling_words
from memwatch.models import Leak, LeakEvent, Recording
from memwatch.queries.diagnosis.known_leaks import of_leaks
from memwatch.queries.diagnosis.recordings import recordings_of
from memwatch.queries.leaks import leaks_beside, newest_events
from memwatch.queries.processes.releases import releases_of
from memwatch.queries.recommendations import advice_of
from memwatch.queries.recycling import policy_of
from memwatch.recommendations.sentence import sentence
from memwatch.services.recordings import leak_heaps, requests

MOST_EVENTS = 200
MOST_KNOWN = 8
"""Known leaks of releases that are listed."""


def context(leak: Leak, query: Mapping[str, str], now: datetime, user: Any) -> dict[str, Any]:
    """What its template shows to ``user``, for the range that the URL asks for."""
    raw = leak.evidence if isinstance(leak.evidence, Mapping) else {}
    chosen = curve.range_of(leak, query, now)
    points, lives = curve.points_of(leak, chosen), curve.lives_of(leak, chosen)
    projection = leak_charts.projection_of(leak, points)
    may_see = user.has_perm("memwatch.view_recording")
    recordings = recordings_of(leak) if may_see else []
    may_dump = may_see and requests.may_dump(user)
    dumped = leak_heaps.heaps_of([leak], user).get(leak.pk) if may_dump else None
    events = newest_events(leak, MOST_EVENTS)
    last = queries.last_snapshot_of(leak.process) if leak.process else None
    return {
        "title": evidence.name_of(leak),
        "subtitle": _subtitle(leak, recordings),
        **_standing(leak, events, now),
        "badges": [
            _severity_badge(leak),
            formats.state_of(leak),
            _confidence_badge(leak),
        ],
        "facts": _facts(leak, now),
        "tiles": _tiles(leak, projection, now),
        "charts": curve.charts_of(leak, points, lives=lives, chosen=chosen, projection=projection),
        "range": chosen,
        "ranges": curve.links(chosen, query),
        "alive": leak.process is not None and leak.process.is_alive,
        "steps": steps.steps(
            leak,
            points or curve.typical(lives),
            queries.figures_of(last) if last else None,
            releases=releases_of(leak),
            recordings=recordings if may_see else None,
            beside=leaks_beside(leak),
            dumped=dumped,
            may_dump=may_dump,
        ),
        "dumped": dumped is not None,
        "figures_lines": evidence.readable(leak, now),
        "rules": rule_rows(raw),
        "why_not": _why_not(leak, raw, now),
        "known_leaks": of_leaks([leak])[leak.pk][:MOST_KNOWN],
        "todo": runbooks.what_to_do(leak),
        "until_fixed": _until_fixed(leak, now, user),
        "statistics": evidence.statistics_lines(raw),
        "evidence_raw": panels.raw_json(raw),
        "events": [_event(event, now) for event in events],
    }


def _subtitle(leak: Leak, recordings: Sequence[Recording]) -> str:
    """Without the holder where a recording names one: a step below says it, and the two may differ."""
    name = "" if any(map(recorded.holder, recordings)) else evidence.held_in(leak)
    words = {"where": leak.process or _("all processes of %s") % leak.service.name, "name": name}
    return (_("leak in %(where)s, held in %(name)s") if words["name"] else _("leak in %(where)s")) % words


def _facts(leak: Leak, now: datetime) -> list[str | SafeString]:
    facts: list[str | SafeString] = [formats.link_to(leak.service)]
    if leak.process:
        facts.append(formats.link_to(leak.process))
        if leak.process.release:
            name = _("release %s") % leak.process.release.name
            facts.append(formats.link_to(leak.process.release, name))
        if leak.process.ended_at:
            facts.append(format_html(_("the process ended {}"), formats.when(leak.process.ended_at, now)))
    facts += _lives_judged(leak)
    facts.append(format_html(_("detected {}"), formats.when(leak.detected_at, now)))
    facts.append(format_html(_("last confirmed {}"), formats.when(leak.last_seen_at, now)))
    if leak.snoozed_until and leak.state == Leak.State.SNOOZED:
        facts.append(format_html(_("snoozed until {}"), formats.exact(leak.snoozed_until)))
    if leak.expected_growth_id:
        url = formats.page_url("expectedgrowth", leak.expected_growth_id)
        facts.append(formats.link(url, _("suppressed as expected growth")))
    return facts


def _lives_judged(leak: Leak) -> list[str]:
    """For a leak of a service: how many lives show it, and how long they are."""
    statistics = leak.evidence.get("statistics") if isinstance(leak.evidence, Mapping) else None
    kept = statistics if isinstance(statistics, Mapping) else {}
    lives, longest = kept.get("lives"), kept.get("life_s")
    if leak.process_id is not None or not isinstance(lives, int) or not isinstance(longest, int | float):
        return []
    words = {"lives": formats.count(lives), "time": formats.duration(longest)}
    return [_("seen in %(lives)s lifetimes of up to %(time)s") % words]


def _standing(leak: Leak, events: Sequence[LeakEvent], now: datetime) -> dict[str, Any]:
    """The current verdict and its tone: a resolved leak is not shown in red."""
    verdict = leak.verdict or _("This type grows and is not released.")
    if leak.state != Leak.State.RESOLVED:
        return {"verdict": verdict, "before": "", "tone": leak.severity}
    return {"verdict": _closed(leak, events, now), "before": verdict, "tone": "resolved"}


def _until_fixed(leak: Leak, now: datetime, user: Any) -> dict[str, str | SafeString] | None:
    """After how many jobs to replace its workers, and whether memwatch does, as far as the user may see it.

    Nothing for a leak that is over.
    """
    found: dict[str, str | SafeString] = {}
    if leak.state == Leak.State.RESOLVED:
        return None
    if user.has_perm("memwatch.view_service"):
        found["sentence"] = sentence(advice_of(leak.service, now))
        found["url"] = formats.page_url("recommendation", leak.service_id)
    if user.has_perm("memwatch.view_recyclingpolicy"):
        policy = policy_of(leak.service_id)
        found["policy"] = recycling_words.in_short(policy)
        found["add_policy"] = recycling_policies.add_url(leak.service_id, user) if policy is None else ""
    return found or None


def _severity_badge(leak: Leak) -> SafeString:
    if leak.state == Leak.State.RESOLVED:
        return formats.badge("was", "was", _("was %s") % leak.get_severity_display())
    return formats.severity_of(leak)


def _confidence_badge(leak: Leak) -> SafeString:
    """How sure it is: a number, or the word of a row that has none."""
    if leak.probability is None:
        text = _("%s confidence") % leak.get_confidence_display()
    else:
        text = _("a leak with a probability of %s") % formats.chance(leak.probability)
    return formats.badge("confidence", leak.confidence, text)


def _closed(leak: Leak, events: Sequence[LeakEvent], now: datetime) -> SafeString:
    """Who resolved the leak, when and why."""
    event = next((each for each in events if each.kind == LeakEvent.Kind.RESOLVED), None)
    by = str(event.by) if event is not None and event.by else _("memwatch")
    text = event.comment if event is not None and event.comment else _("without a comment")
    return format_html(_("Resolved {} by {}: {}"), formats.when(leak.resolved_at, now), by, text)


def _why_not(leak: Leak, raw: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
    """The latest verdict against a leak; ``None`` while every later verdict confirms it."""
    kept = raw.get("why_not")
    if not isinstance(kept, Mapping):
        return None
    at = evidence.moment(kept.get("at"))
    if at is None or at < leak.last_seen_at:
        return None
    return {"at": formats.when(at, now), "sentence": str(kept.get("sentence") or ""), "rules": rule_rows(kept)}


def _tiles(leak: Leak, projection: leak_charts.Projection | None, now: datetime) -> list[panels.Line]:
    left = leak.time_left_s(now)
    over = leak.state == Leak.State.RESOLVED
    hint = _("no limit would be reached") if left is None and not over else ""
    if projection is not None:
        hint = _("of %s") % formats.megabytes(projection.limit_mb)
    return [
        panels.Line(
            label=_("Objects now") if leak.kind == Leak.Kind.OBJECTS else _("Now"),
            value=evidence.amount(leak, leak.current_count),
            hint=_("%s at the start") % evidence.amount(leak, leak.initial_count),
        ),
        panels.Line(
            label=_("Growth"),
            value=evidence.growth(leak, leak.growth_count),
            hint=formats.signed_percent(leak.growth_percent),
        ),
        panels.Line(label=_("Growth per hour"), value=evidence.growth(leak, leak.growth_per_hour)),
        panels.Line(label=_("Growing since"), value=formats.when(leak.started_at or leak.detected_at, now)),
        panels.Line(
            label=_("Memory would have run out in") if over else _("Memory runs out in"),
            value=formats.duration(leak.time_to_exhaustion_s if over else left),
            hint=hint,
        ),
    ]


def _event(event: LeakEvent, now: datetime) -> dict[str, Any]:
    return {
        "what": event.get_kind_display(),
        "kind": event.kind,
        "at": formats.when(event.at, now),
        "by": str(event.by) if event.by else _("memwatch"),
        "person": event.by_id is not None,
        "comment": event.comment,
    }
