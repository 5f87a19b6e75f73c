"""One cause, one leak: what grows only because something else leaks becomes evidence of that leak.

Each instance holds its ``__dict__``, its state objects and its bytes. An operator can act on the host's own class, so
it leads and the rest is listed under "grows with".
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import replace

from memwatch.detection.attribution import IN_STEP, Judged, Memory, attribute, correlation_of, holds_several
from memwatch.detection.case import Case
from memwatch.detection.containers import held_by_growing, holding
from memwatch.detection.rules.registry import GROUPING
from memwatch.detection.verdict import Verdict, describe

PLAIN = frozenset({"dict", "list", "tuple", "set", "frozenset", "cell", "object", "weakref", "ReferenceType"})
"""Built-in types that every object consists of: the least likely causes."""

PLUMBING = frozenset({"collections", "weakref", "functools", "types", "builtins", "itertools", "_weakref"})
"""Standard modules whose types only hold other objects or refer to them."""

FRAMEWORKS = frozenset(
    {
        "django", "celery", "kombu", "amqp", "vine", "billiard", "rest_framework", "redis", "psycopg", "psycopg2",
        "gunicorn", "uvicorn", "gevent", "greenlet", "asgiref", "sqlalchemy", "jinja2", "starlette",
    }
)  # fmt: skip
"""Packages that most hosts use: beside a leaking class of the host, their objects are its parts."""

OWNERS = frozenset(
    {
        "django.core.handlers.wsgi.WSGIRequest", "django.core.handlers.asgi.ASGIRequest",
        "celery.worker.request.Request", "celery.app.task.Context",
        "starlette.requests.Request", "werkzeug.wrappers.request.Request", "flask.wrappers.Request",
    }
)  # fmt: skip
"""Objects of one job that hold what a job needs: of types of frameworks that grow alike, these lead."""

PARTS_PER_OBJECT = 20
"""Containers and cells that one leaked object may hold; growth beyond that has another cause."""

BUILT_IN_RANK, HOST_RANK = 1, 4
SAME_RATE = 0.99
"""Correlation from which two types of libraries are parts of one kept object, such as a request, its match and its
proxies. Two classes of the host under one steady load correlate as well, and are two leaks."""

KEPT_SHARE = 0.5
"""Share of the growth of a type that the leader's holder keeps alive, from which it is a part."""

FEW_HOLDERS = 10
"""Least growth of a class that holds everything that leaks: fewer objects grow in step with anything by chance."""

NAMED = 6
"""Types that grow with a leak, in its sentence."""

NOT_YET = "not enough data"
WAITS = "not enough data: objects that may hold it grow too and have no verdict yet"


def one_cause_one_leak(judged: Sequence[Judged]) -> list[Verdict]:
    """The verdicts, with followers folded into their leaders as ``expected``."""
    leaks = [item for item in judged if item.verdict.is_leak]
    objects = [item for item in leaks if item.case.series.kind == "objects"]
    groups = _grouped(objects)
    leaders = [leader for leader, _followers in groups]
    memory = attribute(
        [item for item in leaks if item.case.series.kind != "objects"],
        leaders,
        names={item.case.series.name for item in objects},
        undecided=[item for item in judged if item.verdict.outcome == NOT_YET and _may_explain(item.case)],
    )
    few = [item for item in judged if item.verdict.outcome == "quiet" and item.case.growth >= FEW_HOLDERS]
    return [
        *(item.verdict for item in judged if not item.verdict.is_leak),
        *(_lead(leader, [*followers, *_few_holders(leader, few)], memory.explained) for leader, followers in groups),
        *memory.leaks,
        *(folded(item.verdict, leader.verdict) for leader, followers in groups for item in followers),
        *_explained(memory, leaders),
        *(replace(verdict, outcome=NOT_YET, rule=GROUPING.name, sentence=WAITS) for verdict in memory.waiting),
    ]


def _may_explain(case: Case) -> bool:
    """Whether a watch waits for the verdict on this series before it calls memory a leak of its own."""
    return case.watching and "begun_late" not in case.statistics


def _explained(memory: Memory, leaders: Sequence[Judged]) -> list[Verdict]:
    """Memory that the leaking objects explain, unless memory of its kind leaks by itself."""
    leaking = {verdict.kind for verdict in memory.leaks}
    return [
        folded(verdict, leaders[0].verdict) for verdict in memory.explained if leaders and verdict.kind not in leaking
    ]


def folded(verdict: Verdict, leader: Verdict) -> Verdict:
    """The verdict as ``expected``: the growth belongs to the leak of ``leader``."""
    sentence = f"expected: it grows with {leader.object_type} and is counted there"
    return replace(verdict, outcome="expected", rule=GROUPING.name, sentence=sentence, severity="low", confidence="low")


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


def _grouped(leaks: Sequence[Judged]) -> list[tuple[Judged, list[Judged]]]:
    """The leaders, each with its followers."""
    held = {type_name for item in leaks[:1] for type_name in held_by_growing(item.case.history)}
    groups: list[tuple[Judged, list[Judged]]] = []
    for item in _likeliest_first(leaks, held):
        leader = _leader_of(item, [leader for leader, _followers in groups], held)
        if leader is None:
            groups.append((item, []))
        else:
            groups[leader][1].append(item)
    return groups


def _likeliest_first(leaks: Sequence[Judged], held: Collection[str]) -> list[Judged]:
    """The likeliest cause first: what a growing container holds is kept, whatever that holds in its turn.

    Of one rank the fewer lead the more, since an order holds its lines; of plain types the most numerous lead.
    """
    plain = all(rank(item.case.series.name) <= BUILT_IN_RANK for item in leaks)

    def first(item: Judged) -> tuple[bool, int, bool, bool, int]:
        name, count = item.case.series.name, item.verdict.growth_count
        return not _kept(name, held), -rank(name), name not in held, name not in OWNERS, -count if plain else count

    return sorted(leaks, key=first)


def _kept(name: str, held: Collection[str]) -> bool:
    """Whether a growing container holds this type, and that says more than that it holds lists."""
    return name in held and rank(name) > BUILT_IN_RANK


def _leader_of(item: Judged, leaders: Sequence[Judged], held: Collection[str]) -> int | None:
    """The index of the leader that this type grows with; ``None`` where it leads itself."""
    if not leaders:
        return None
    name = item.case.series.name
    own = rank(name)
    correlations = [
        0.0 if own > BUILT_IN_RANK and _stays(leader, item) else correlation_of(item.case, leader.case)
        for leader in leaders
    ]
    best = max(range(len(leaders)), key=correlations.__getitem__)
    in_step = correlations[best] >= IN_STEP
    if own <= BUILT_IN_RANK:
        parts = PARTS_PER_OBJECT * sum(leader.verdict.growth_count for leader in leaders)
        return best if in_step or item.verdict.growth_count <= parts else None
    if own < rank(leaders[best].case.series.name):
        return best if in_step else None
    together = (_goes_with(item, *each, held) for each in zip(leaders, correlations, strict=True))
    return next((number for number, goes in enumerate(together) if goes), None)


def _goes_with(item: Judged, leader: Judged, correlation: float, held: Collection[str]) -> bool:
    """Whether a type belongs to a leader of its own rank, or of a lower one that a growing container holds."""
    kept = _kept_by(leader, item)
    if kept is not None:
        return kept
    name, other = item.case.series.name, leader.case.series.name
    if _kept(other, held) and not _kept(name, held) and correlation >= SAME_RATE:
        return True
    return rank(other) == rank(name) and _is_part_of(item, leader, correlation)


def _kept_by(leader: Judged, item: Judged) -> bool | None:
    """Whether a look into the heap found most of these objects kept alive by what holds the leader's.

    ``None``: no look was made. Counts of two leaks under one steady load are as those of an object and its part.
    """
    history, name = leader.case.history, leader.case.series.name
    growth, keeps = 1.0, history.keeps.get(name)
    if expires := history.expires.get(name):  # an old look, perhaps, or at one of several holders: taken to grow alike
        growth, keeps = max(1.0, leader.verdict.growth_count / max(1, expires.get(name, 0))), expires
    if keeps is None:
        return None
    return growth * keeps.get(item.case.series.name, 0) >= KEPT_SHARE * item.verdict.growth_count


def _stays(leader: Judged, item: Judged) -> bool:
    """Whether the leader's objects go with entries that expire, and most of the item's are held by something else."""
    return bool(leader.case.history.expires.get(leader.case.series.name)) and _kept_by(leader, item) is False


def _is_part_of(item: Judged, leader: Judged, correlation: float) -> bool:
    """Whether a type is a part of a leader of its own rank."""
    same_rate = rank(item.case.series.name) < HOST_RANK and correlation >= SAME_RATE
    return same_rate or holds_several(leader.case, item.case)


def _few_holders(leader: Judged, few: Sequence[Judged]) -> list[Judged]:
    """Types that may hold a plain leader's objects: of a higher rank, in step with it, too few to be judged alone."""
    own = rank(leader.case.series.name)
    if own > BUILT_IN_RANK:
        return []
    objects = [item for item in few if item.case.series.kind == "objects"]
    better = [item for item in objects if rank(item.case.series.name) > BUILT_IN_RANK]
    return [item for item in better if correlation_of(item.case, leader.case) >= IN_STEP]


def _lead(leader: Judged, followers: Sequence[Judged], memory: Sequence[Verdict]) -> Verdict:
    verdict, history = leader.verdict, leader.case.history
    names = tuple(sorted({item.case.series.name for item in followers}))
    container = verdict.container or holding(history, verdict.object_type)
    sentence = verdict.sentence
    if container is not None:
        sentence += f"; held by {describe(container)}"
    if names:
        sentence += f"; {_listed(names)} {'grow' if len(names) > 1 else 'grows'} with it"
    statistics = dict(verdict.statistics) | {item.kind + "_growth": item.growth_count for item in memory}
    return replace(verdict, sentence=sentence, grows_with=names, container=container, statistics=statistics)


def _listed(names: Sequence[str]) -> str:
    """``list and tuple``; ``cell, dict, … and 3 more``."""
    shown = list(names[:NAMED])
    if len(names) > NAMED:
        shown.append(f"{len(names) - NAMED} more")
    return " and ".join(part for part in (", ".join(shown[:-1]), shown[-1]) if part)
