"""Which view, task or command makes a leak grow: computed for open leaks, kept in their evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from memwatch.detection.work import sentence
from memwatch.detection.work.attribution import EVERY_JOB, EXPLAINED, FEW, REGRESSION, Attribution, attribute
from memwatch.detection.work.direct import USUAL_EACH
from memwatch.detection.work.made import decided
from memwatch.detection.work.steps import called
from memwatch.models import Leak
from memwatch.queries.judging import work_steps
from memwatch.records.work import EVERY as ALL_NAMES
from memwatch.services.leaks.state import parse_moment
from memwatch.services.locking import writing

EVERY = timedelta(minutes=5)
"""How often what is known is computed again; what could not be said yet, with each run."""
AT_ONCE = 10
"""Leaks of different types or services in one run; the others follow in the next."""
BLOCKS_EACH = {"objects": USUAL_EACH, "entries": 1.0, "blocks": 1.0}
"""What one of them usually takes."""
UNITS = {Leak.Kind.OBJECTS: "objects", Leak.Kind.UNTRACKED: "blocks", Leak.Kind.NATIVE: "KiB"}

_Cause = tuple[int, str, str, str]
"""Service, kind, type and container: in all processes of a service it is one cause."""


def refresh(now: datetime) -> int:
    """Bring the evidence of open leaks up to date; for how many causes."""
    causes: dict[_Cause, list[Leak]] = {}
    for leak in Leak.objects.active().select_related("service").order_by("pk"):
        causes.setdefault(_cause(leak), []).append(leak)
    due = sorted((_computed_at(rows), cause) for cause, rows in causes.items() if _is_due(rows, now))
    for _at, cause in due[:AT_ONCE]:
        _keep(causes[cause], explain(causes[cause][0], now))
    return min(len(due), AT_ONCE)


def _cause(leak: Leak) -> _Cause:
    container = work_steps.container_of(leak)
    return leak.service_id, leak.kind, leak.object_type, "" if container is None else container.key


def explain(leak: Leak, now: datetime) -> dict[str, Any]:
    """What the leak's evidence says of work: ``at``, ``culprits``, ``remark`` (a constant) and ``sentence``."""
    runs = work_steps.steps(leak, now)
    since = min(leak.started_at or leak.detected_at, now)
    # Memory outside Python's objects takes no blocks, so that blocks say nothing of it.
    in_blocks = leak.kind != Leak.Kind.NATIVE
    direct = work_steps.direct(leak.service_id, max(since, now - work_steps.FAR)) if in_blocks else {}
    names = work_steps.names(called(step for run in runs for step in run))
    kinds = {work: kind for work, (kind, _name) in names.items()}
    found = attribute(runs, direct, claimed(leak, names) if direct else None, kinds)
    if found.remark not in (EXPLAINED, EVERY_JOB):
        found = decided(found, work_steps.made(leak, now), runs, kinds)
    return {
        "at": now.astimezone(UTC).isoformat(),
        "culprits": list(_culprits(found, names)),
        "remark": found.remark,
        "sentence": " ".join(sentence.sentences(found, {pk: name for pk, (_kind, name) in names.items()}, _unit(leak))),
    }


def claimed(leak: Leak, names: Mapping[int, tuple[str, str]]) -> dict[int, float]:
    """Blocks a call, by work, that other open leaks of the service are explained by: by the numbers of calls alone.

    ``names``: kind and name of the works that count.
    """
    blocks: Counter[tuple[str, str]] = Counter()
    seen = {_cause(leak)}
    for other in Leak.objects.active().filter(service=leak.service_id).exclude(pk=leak.pk).order_by("pk"):
        cause = _cause(other)
        if cause not in seen:
            seen.add(cause)
            each = BLOCKS_EACH.get(_unit(other), 0.0)
            for culprit in _work(other).get("culprits", ()):
                works = [(work["kind"], work["name"]) for work in culprit["works"]]
                if culprit["source"] == REGRESSION and (len(works) == 1 or works[0][1] == ALL_NAMES):
                    for work in works:
                        blocks[work] += each * culprit["per_call"]
    each_work = {pk: blocks[kind, name] + blocks[kind, ALL_NAMES] for pk, (kind, name) in names.items()}
    return {pk: kept for pk, kept in each_work.items() if kept}


def _culprits(found: Attribution, names: Mapping[int, tuple[str, str]]) -> Iterable[dict[str, Any]]:
    for culprit in found.culprits:
        named = [names[work] for work in culprit.works if work in names]
        named += [(kind, ALL_NAMES) for kind in culprit.every if kind]
        works = [dict(zip(("kind", "name"), each, strict=True)) for each in named]
        if works:
            figures = {name: round(getattr(culprit, name), 6) for name in ("per_call", "low", "high", "share")}
            yield {"works": works, **figures, "source": culprit.source}


def _unit(leak: Leak) -> str:
    return "entries" if work_steps.container_of(leak) is not None else UNITS.get(Leak.Kind(leak.kind), "objects")


def _work(leak: Leak) -> Mapping[str, Any]:
    found = leak.evidence.get("work") if isinstance(leak.evidence, dict) else None
    return found if isinstance(found, dict) else {}


def _computed_at(rows: Iterable[Leak]) -> str:
    """Of the row that has waited longest; ISO 8601 in UTC sorts by itself."""
    return min(str(_work(row).get("at", "")) for row in rows)


def _is_due(rows: Iterable[Leak], now: datetime) -> bool:
    for row in rows:
        work = _work(row)
        at = parse_moment(work.get("at"))
        if at is None or work.get("remark") == FEW or not at <= now < at + EVERY:
            return True
    return False


def _keep(rows: Iterable[Leak], work: Mapping[str, Any]) -> None:
    """Detection and operators change these rows too: each is read again, and only its evidence is written."""
    with writing():
        for row in Leak.objects.select_for_update(of=("self",)).filter(pk__in=[row.pk for row in rows]).order_by("pk"):
            row.evidence = {**row.evidence, "work": dict(work)}
            row.save(update_fields=["evidence"])
