"""What a snapshot may hold, figure by figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_type_hints

from memwatch.records import FIGURES, BigContainer, MemorySnapshot, traces
from memwatch.records.figure import Figure
from memwatch.records.histogram import LAST
from memwatch.records.work import KINDS, MAX_NAMES, WorkFigures
from memwatch.sampling.type_names import clean
from memwatch.transport.schema import (
    MAX_TEXT,
    MAX_TYPES,
    MAX_WHOLE,
    WireError,
    int32,
    mapping,
    number,
    shown,
    signed,
    text,
    time,
    whole,
)

_MAX_ADDRESS = 2**64


def _counts(name: str, value: object) -> dict[str, int]:
    found = mapping(name, value)
    if len(found) > MAX_TYPES:
        raise WireError("malformed", f"{name}: an object with at most {MAX_TYPES} names is wanted")
    if _are_fine(found):
        return found
    counts: dict[str, int] = {}
    for type_name, count in found.items():
        known = type_name if len(type_name) <= MAX_TEXT and type_name.isprintable() else clean(type_name)
        counts[known] = counts.get(known, 0) + whole(f"{name}[{type_name[:40]}]", count)
    return counts


def _are_fine(counts: Mapping[str, Any]) -> bool:
    """Whether :func:`_counts` would change nothing and refuse nothing, asked of all at once: nearly always so."""
    numbers = counts.values()
    return (
        set(map(type, numbers)) <= {int}
        and min(numbers, default=0) >= 0
        and max(numbers, default=0) <= MAX_WHOLE
        and max(map(len, counts), default=0) <= MAX_TEXT
        and "".join(counts).isprintable()
    )


def _three(name: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) != 3:
        raise WireError("malformed", f"{name}: three whole numbers are wanted")
    return tuple(whole(name, item) for item in value)


def _pairs(name: str, value: object) -> tuple[tuple[float, float], ...]:
    if not isinstance(value, list) or len(value) > MAX_TYPES:
        raise WireError("malformed", f"{name}: a list of at most {MAX_TYPES} is wanted")
    found = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise WireError("malformed", f"{name}: pairs of numbers are wanted, this is {shown(pair)}")
        found.append((number(name, pair[0]), number(name, pair[1])))
    return tuple(found)


def _containers(name: str, value: object) -> tuple[BigContainer, ...]:
    if not isinstance(value, list) or len(value) > MAX_TYPES:
        raise WireError("malformed", f"{name}: a list of at most {MAX_TYPES} is wanted")
    return tuple(_container(mapping(name, item)) for item in value)


def _container(value: Mapping[str, Any]) -> BigContainer:
    token, entry_bytes = value.get("token"), value.get("entry_bytes")
    holds, name = value.get("holds"), value.get("name")
    return BigContainer(
        type=text("type", value["type"]),
        length=whole("length", value["length"]),
        holds=None if holds is None else text("holds", holds),
        token=None if token is None else whole("token", token, high=_MAX_ADDRESS),
        name=None if name is None else text("name", name),
        entry_bytes=None if entry_bytes is None else number("entry_bytes", entry_bytes),
    )


MAX_WORK = MAX_NAMES + len(KINDS)
"""Names that one snapshot may bring, with one ``(other)`` for each kind."""


def _histogram(name: str, value: object) -> dict[str, int]:
    found = mapping(name, value)
    if len(found) > LAST + 1 or any(not key.isdecimal() or len(key) > 3 or int(key) > LAST for key in found):
        raise WireError("malformed", f"{name}: an object with the numbers of buckets, 0 to {LAST}, is wanted")
    return {str(int(key)): whole(name, count) for key, count in found.items()}


def _signed_whole(name: str, value: object) -> int:
    if type(value) is not int or not -MAX_WHOLE <= value <= MAX_WHOLE:
        raise WireError("malformed", f"{name} is {shown(value)}, a whole number is wanted")
    return value


_SIGNED = ("blocks", "blocks_max", "rss_kib", "rss_kib_max")
_BY_TYPE: Mapping[type, Callable[[str, object], Any]] = {str: text, float: number, int: whole}
_WORK_CHECKS = {field: _BY_TYPE.get(kind, _histogram) for field, kind in get_type_hints(WorkFigures).items()}
_WORK_CHECKS |= dict.fromkeys(_SIGNED, _signed_whole)
_WORK_CHECKS["peak_trace"] = lambda _name, value: traces.checked(value)
_WORK_CHECKS["blocks_squares"] = partial(number, high=float(MAX_WHOLE) ** 2)


def _work(name: str, value: object) -> tuple[WorkFigures, ...]:
    if not isinstance(value, list) or len(value) > MAX_WORK:
        raise WireError("malformed", f"{name}: a list of at most {MAX_WORK} is wanted")
    found = [_work_figures(item) for item in value]
    return tuple([item for item in found if item.kind in KINDS])  # a newer agent may know more kinds


def _work_figures(value: object) -> WorkFigures:
    if not isinstance(value, list) or len(value) < 2:
        raise WireError("malformed", f"work: lists of figures are wanted, this is {shown(value)}")
    checked = [check(field, item) for (field, check), item in zip(_WORK_CHECKS.items(), value, strict=False)]
    return WorkFigures(*checked)


def _check(figure: Figure) -> Callable[[str, object], Any]:
    if not figure.unit.whole:
        return partial(number, high=MAX_WHOLE / figure.unit.kept)  # as a whole number of the column
    return int32 if figure.small else whole


_CHECKS = {figure.name: _check(figure) for figure in FIGURES.values()} | {
    "heap_limit_source": partial(text, limit=10),
    "heap_free_mb": signed,  # a process can use more than the setting says it may
    "top_objects": _counts,
    "backfill": _counts,
    "type_sizes": _counts,
    "big_containers": _containers,
    "work": _work,
    "rss_seconds": _pairs,
    "gc_count": _three,
    "gc_threshold": _three,
}


def numbered_snapshot(value: object) -> tuple[int, MemorySnapshot]:
    """``[seq, figures]``."""
    if not isinstance(value, list) or len(value) != 2:
        raise WireError("malformed", f"snapshots: pairs of a number and figures are wanted, this is {shown(value)}")
    seq, figures = value
    known = {
        name: _CHECKS[name](name, item)
        for name, item in mapping("snapshot", figures).items()
        if item is not None and name in _CHECKS
    }
    return whole("seq", seq), MemorySnapshot(timestamp=time("timestamp", figures.get("timestamp")), **known)
