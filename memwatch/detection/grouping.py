"""One cause, one leak: what grows only because something else leaks becomes evidence of that leak.

An instance brings its ``__dict__``, its state objects and its bytes; the host's own class is what an operator can
act on, so it leads and the rest is listed as "grows with".
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import replace

from memwatch.detection.attribution import IN_STEP, Judged, attribute, correlation_of, holds_several
from memwatch.detection.case import Case
from memwatch.detection.containers import held_by_growing, holding
from memwatch.detection.verdict import Verdict, describe

PLAIN = frozenset({"dict", "list", "tuple", "set", "frozenset", "cell", "object", "weakref", "ReferenceType"})
"""Built-in types that everything is made of: the last to be a cause."""

PLUMBING = frozenset({"collections", "weakref", "functools", "types", "builtins", "itertools", "_weakref"})
"""Standard modules whose types only hold or point to others."""

FRAMEWORKS = frozenset(
    {
        "django", "celery", "kombu", "amqp", "vine", "billiard", "rest_framework", "redis", "psycopg", "psycopg2",
        "gunicorn", "uvicorn", "gevent", "greenlet", "asgiref", "sqlalchemy", "jinja2", "starlette",
    }
)  # fmt: skip
"""Packages that most hosts stand on: beside a leaking class of the host, theirs are its parts."""

PARTS_PER_OBJECT = 20
"""Containers and cells that one leaked object may bring; growth beyond that has another cause."""

MEANING, HOST_RANK = 2, 4
SAME_RATE = 0.99
"""Correlation from which two types of libraries are parts of one thing that is kept: a request, its match, its proxies.
Two classes of the host under one steady load look so too, and are two leaks."""

FEW_HOLDERS = 10
"""Objects of a class that hold all that leaks: fewer grow in step with anything by chance."""

NOT_YET = "not enough data"
RULE = "grouping"
WAITS = "not enough data: objects grow too that may hold it, and are not judged yet"


def one_cause_one_leak(judged: Sequence[Judged]) -> list[Verdict]:
    """The same verdicts, followers folded into their leaders and told as ``expected``."""
    leaks = [item for item in judged if item.verdict.is_leak]
    open_ones = [item for item in judged if item.verdict.outcome == NOT_YET and _may_explain(item.case)]
    verdicts = [item.verdict for item in judged if not item.verdict.is_leak]
    objects = [item for item in leaks if item.case.series.kind == "objects"]
    leaders, followers = _objects(objects)
    names = {item.case.series.name for item in objects}
    memory = attribute([item for item in leaks if item.case.series.kind != "objects"], leaders, names, open_ones)
    few = [item for item in judged if item.verdict.outcome == "quiet" and item.case.growth >= FEW_HOLDERS]
    verdicts.extend(
        _lead(leader, [*followers.get(i, []), *_few_holders(leader, few)], memory.explained)
        for i, leader in enumerate(leaders)
    )
    verdicts.extend(memory.leaks)
    for i, found in followers.items():
        verdicts.extend(_folded(item.verdict, leaders[i].verdict.object_type) for item in found)
    told = {verdict.kind for verdict in memory.leaks}
    holder = leaders[0].verdict.object_type if leaders else ""
    verdicts.extend(_folded(verdict, holder) for verdict in memory.explained if holder and verdict.kind not in told)
    verdicts.extend(replace(verdict, outcome=NOT_YET, rule=RULE, sentence=WAITS) for verdict in memory.waiting)
    return verdicts


def _may_explain(case: Case) -> bool:
    """Whether a watch is to wait for this series' verdict before it calls memory a leak of its own."""
    return case.watching and "begun_late" not in case.found


def _folded(verdict: Verdict, leader: str) -> Verdict:
    sentence = f"expected: grows with {leader}, and is counted there"
    return replace(verdict, outcome="expected", rule=RULE, sentence=sentence, severity="low", confidence="low")


def rank(name: str) -> int:
    """How likely a type is the cause: 0 plain containers, 1 built-ins, 2 standard library, 3 frameworks, 4 the host."""
    top, dot, _ = name.partition(".")
    if not dot:
        return 0 if name in PLAIN else 1
    if top in PLUMBING:
        return 1
    if top in sys.stdlib_module_names:
        return 2
    return 3 if top in FRAMEWORKS else 4


def _objects(leaks: Sequence[Judged]) -> tuple[list[Judged], dict[int, list[Judged]]]:
    held = {type_name for item in leaks[:1] for type_name in held_by_growing(item.case.history)}
    leaders: list[Judged] = []
    followers: dict[int, list[Judged]] = {}
    for item in _in_order(leaks, held):
        at = _leader_of(item, leaders, held)
        if at is None:
            leaders.append(item)
        else:
            followers.setdefault(at, []).append(item)
    return leaders, followers


def _in_order(leaks: Sequence[Judged], held: Collection[str]) -> list[Judged]:
    """The likeliest cause first. What a growing container holds is what is kept, whatever that holds in its turn.

    Of one rank the fewer lead the more, since an order holds its lines; of plain types the most numerous lead.
    """
    plain = all(rank(item.case.series.name) < MEANING for item in leaks)

    def first(item: Judged) -> tuple[bool, int, bool, int]:
        name, count = item.case.series.name, item.verdict.growth_count
        return not _kept(name, held), -rank(name), name not in held, -count if plain else count

    return sorted(leaks, key=first)


def _kept(name: str, held: Collection[str]) -> bool:
    """Whether a growing container holds this type, which says more than that it holds lists."""
    return name in held and rank(name) >= MEANING


def _leader_of(item: Judged, leaders: Sequence[Judged], held: Collection[str]) -> int | None:
    if not leaders:
        return None
    name = item.case.series.name
    own = rank(name)
    steps = [correlation_of(item.case, leader.case) for leader in leaders]
    best = max(range(len(leaders)), key=steps.__getitem__)
    leading = rank(leaders[best].case.series.name)
    if own <= 1:
        total = sum(leader.verdict.growth_count for leader in leaders)
        bound = PARTS_PER_OBJECT * total
        return best if item.verdict.growth_count <= bound or steps[best] >= IN_STEP else None
    if own < leading:
        return best if steps[best] >= IN_STEP else None
    for i, leader in enumerate(leaders):
        if _kept(leader.case.series.name, held) and not _kept(name, held) and steps[i] >= SAME_RATE:
            return i
        if rank(leader.case.series.name) != own:
            continue
        if holds_several(leader.case, item.case) or (own < HOST_RANK and steps[i] >= SAME_RATE):
            return i
    return None


def _few_holders(leader: Judged, few: Sequence[Judged]) -> list[Judged]:
    """Types of more meaning than a plain leader's that grow in step with it, too few of them to be looked at alone."""
    own = rank(leader.case.series.name)
    if own > 1:
        return []
    better = [item for item in few if item.case.series.kind == "objects" and rank(item.case.series.name) > max(1, own)]
    return [item for item in better if correlation_of(item.case, leader.case) >= IN_STEP]


def _lead(leader: Judged, followers: Sequence[Judged], memory: Sequence[Verdict]) -> Verdict:
    verdict, history = leader.verdict, leader.case.history
    names = tuple(sorted({item.case.series.name for item in followers}))
    container = verdict.container or holding(history, verdict.object_type)
    sentence = verdict.sentence
    if container is not None:
        sentence += f"; held by {describe(container)}"
    if names:
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        sentence += f"; with it grow {', '.join(names[:6])}{more}"
    statistics = dict(verdict.statistics) | {item.kind + "_growth": item.growth_count for item in memory}
    return replace(verdict, sentence=sentence, grows_with=names, container=container, statistics=statistics)
