"""What happened between two counts of a leaking figure: how much it grew, and which views, tasks and commands ran."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import Sum

from memwatch.detection.work.attribution import Direct, Step
from memwatch.models import Leak, Recording, RecordingKind, Snapshot, WorkName, WorkRollup
from memwatch.queries.diagnosis.object_types import ids_of
from memwatch.queries.leak_work import made_in

FAR = timedelta(hours=6)
"""How far back steps are looked for."""
MOST_ROWS = 3_000
"""The newest snapshots of the service that are read, over all its processes."""

RECORDED = timedelta(hours=2)
"""What a recording has seen counts for so long."""
MOST_RECORDINGS = 5

_COLUMNS = (
    "process", "timestamp", "seq", "counts", "extras", "allocated_blocks", "heap_used_kib", "pymalloc_used_kib",
    "rss_kib", "work",
)  # fmt: skip
_Row = Mapping[str, Any]
_Read = Callable[[_Row], float | None]


@dataclass(frozen=True, slots=True)
class Container:
    """What grows, of a leak whose growth is the entries of a container."""

    type: str
    holds: str | None
    name: str | None
    """Of a module-level name: the same in all processes."""
    token: int | None
    """Its address: equal in all snapshots of the leak's process, of no meaning in others."""

    @property
    def key(self) -> str:
        """Equal for what may be the same container in several processes of a service."""
        return self.name or f"{self.type} of {self.holds}"


def container_of(leak: Leak) -> Container | None:
    """The container whose entries a leak of untracked objects counts; ``None`` where none can be followed."""
    found = leak.evidence.get("container") if isinstance(leak.evidence, dict) else None
    if leak.kind != Leak.Kind.UNTRACKED or not isinstance(found, dict):
        return None
    made = Container(str(found.get("type")), found.get("holds"), found.get("name"), found.get("token"))
    return made if made.name or (type(made.token) is int and leak.process_id is not None) else None


def steps(leak: Leak, now: datetime) -> list[list[Step]]:
    """The steps of each process of the leak's service, oldest first; a process with a gap comes as two.

    One query; for a container without a name another one.
    """
    container = container_of(leak)
    is_nameless = container is not None and not container.name
    read = _entries(leak, container) if container is not None else _figure_of(leak)
    rows = (
        Snapshot.objects.filter(process__service=leak.service_id, timestamp__gte=now - FAR, timestamp__lte=now)
        .order_by("-timestamp")
        .values(*_COLUMNS)[:MOST_ROWS]
    )
    ordered = sorted(rows, key=itemgetter("process", "seq"))
    return [
        found
        for _process, own in groupby(ordered, key=itemgetter("process"))
        for found in _runs(list(own), read, is_nameless=is_nameless)
    ]


def _runs(rows: Sequence[_Row], read: _Read, *, is_nameless: bool) -> list[list[Step]]:
    """``is_nameless``: half the length at the same address is another container, and the leak's is the last one."""
    runs: list[list[Step]] = [[]]
    last: tuple[float, float, int | None] | None = None
    calls = Tally[int]()
    before = None
    for row in rows:
        if before is not None and row["seq"] != before + 1:
            runs.append([])
            last = None
        before = row["seq"]
        for key, n in (row["work"] or {}).items():
            calls[int(key)] += n
        value = read(row)
        if value is None:
            continue
        at, blocks = row["timestamp"].timestamp(), row["allocated_blocks"]
        if is_nameless and last is not None and value * 2 < last[1]:
            runs, last = [[]], None
        if last is not None and at > last[0]:
            more = None if blocks is None or last[2] is None else blocks - last[2]
            runs[-1].append(Step(at - last[0], value - last[1], dict(calls), more))
        last = at, value, blocks
        calls = Tally[int]()
    return [run for run in runs if run]


def _figure_of(leak: Leak) -> _Read:
    """How the leaking figure is read from a row where it is no container: objects of the type, blocks, or KiB."""
    if leak.kind == Leak.Kind.OBJECTS:
        key = str(ids_of({leak.object_type}).get(leak.object_type))
        return lambda row: (row["counts"] or {}).get(key)
    if leak.kind == Leak.Kind.UNTRACKED:
        return lambda row: row["allocated_blocks"]
    return _malloc_or_rss


def _entries(leak: Leak, container: Container) -> _Read:
    """The length of a container in each process: by its name, else by its address in those in which it leaks too."""
    tokens = {} if container.name else _tokens(leak, container)

    def read(row: _Row) -> float | None:
        token = tokens.get(row["process"])
        for box in (row["extras"] or {}).get("big_containers") or ():
            if container.name:
                if box.get("name") == container.name:
                    return float(box["length"])
            elif token is not None and box.get("token") == token and box.get("type") == container.type:
                return float(box["length"])
        return None

    return read


def _tokens(leak: Leak, container: Container) -> dict[int, int]:
    """By process: the address of a container of the same kind that leaks there."""
    found = {leak.process_id: container.token}
    for other in Leak.objects.active().filter(service=leak.service_id, kind=Leak.Kind.UNTRACKED).exclude(pk=leak.pk):
        same = container_of(other)
        if same is not None and same.key == container.key:
            found.setdefault(other.process_id, same.token)
    return {process: token for process, token in found.items() if process is not None and token is not None}


def _malloc_or_rss(row: _Row) -> float | None:
    used, pymalloc = row["heap_used_kib"], row["pymalloc_used_kib"]
    rss: float | None = row["rss_kib"]
    return rss if used is None or pymalloc is None else max(0.0, used - pymalloc)


def direct(service: int, since: datetime) -> dict[int, Direct]:
    """What the calls of each name kept that ran alone in their process. One query."""
    rows = (
        WorkRollup.objects.filter(service=service, period=WorkRollup.Period.HOUR, start__gt=since - timedelta(hours=1))
        .order_by()
        .values("work")
        .annotate(Sum("calls"), Sum("blocks_calls"), Sum("blocks"), Sum("blocks_squares"), Sum("seconds"))
    )
    return {
        row["work"]: Direct(
            row["calls__sum"],
            row["blocks_calls__sum"],
            row["blocks__sum"],
            row["blocks_squares__sum"],
            row["seconds__sum"],
        )
        for row in rows
    }


def made(leak: Leak, now: datetime) -> dict[int, tuple[int, int]]:
    """By name, how many objects of the leaking type its calls made, and in how many calls, by the last recordings.

    Two queries.
    """
    if leak.kind != Leak.Kind.OBJECTS:
        return {}
    done = Recording.objects.filter(
        process__service=leak.service_id,
        kind=RecordingKind.REFERRERS,
        state=Recording.State.DONE,
        options__type=leak.object_type,
        requested_at__gt=now - RECORDED,
    )
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for result in done.order_by("-pk").values_list("result", flat=True)[:MOST_RECORDINGS]:
        for row in made_in(result):
            count, calls = found.get((row.kind, row.name), (0, 0))
            found[row.kind, row.name] = (count + row.count, calls + row.calls)
    ids = {name: pk for pk, name in named({name for _kind, name in found})}
    return {ids[key]: counts for key, counts in found.items() if key in ids}


def named(texts: Collection[str]) -> list[tuple[int, tuple[str, str]]]:
    """Id, kind and name of all work that has one of these names."""
    rows = WorkName.objects.filter(name__in=texts).values_list("pk", "kind", "name") if texts else ()
    return [(pk, (kind, name)) for pk, kind, name in rows]


def names(ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """Kind and name by id."""
    return {
        pk: (kind, name) for pk, kind, name in WorkName.objects.filter(pk__in=ids).values_list("pk", "kind", "name")
    }
