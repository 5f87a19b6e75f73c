"""What a payload may hold, field by field: types, ranges, lengths, and texts that every database can store."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, get_type_hints

from memwatch.records import FIGURES, BigContainer, MemorySnapshot
from memwatch.records.figure import Figure
from memwatch.records.histogram import LAST
from memwatch.records.json_record import parse_time
from memwatch.records.work import KINDS, MAX_NAMES, WorkFigures
from memwatch.sampling.identity import OutsideProcess, ProcessInfo
from memwatch.sampling.type_names import MAX_NAME, clean
from memwatch.transport import strict_json

WIRE_VERSION = 1
MAX_REPORT_BYTES = 1024 * 1024
MAX_COMMAND_BYTES = 16 * 1024
MAX_SNAPSHOTS_PER_REPORT = 100
MAX_TEXT = MAX_NAME
MAX_TYPES = 500
MIN_LEASE_S, MAX_LEASE_S = 1.0, 7 * 86400.0
_MAX_WHOLE = 10**15
_MAX_INT32 = 2**31 - 1
_MAX_ADDRESS = 2**64
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Beyond these no clock of a living machine is, and databases and time zones begin to disagree."""


class WireError(ValueError):
    """A payload that cannot be taken. ``reason`` is a short stable word for counters, the text says more."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(clean(detail))
        self.reason = reason


def load(payload: bytes, limit: int) -> dict[str, Any]:
    """The JSON object of a payload of our version. Raises :class:`WireError`."""
    if len(payload) > limit:
        raise WireError("oversized", f"payload of {len(payload)} bytes, the limit is {limit}")
    try:
        value = strict_json.loads(payload)
    except ValueError as error:
        raise WireError("malformed", f"not JSON: {str(error)[:200]}") from None
    if not isinstance(value, dict):
        raise WireError("malformed", f"a JSON object is wanted, this is a {type(value).__name__}")
    version = value.get("v")
    if type(version) is not int or version != WIRE_VERSION:
        raise WireError("version", f"version {_shown(version)}: this memwatch speaks {WIRE_VERSION}")
    return value


def sendable(value: Any) -> Any:
    """``value`` as JSON can say it: times as ISO 8601, texts cleaned, what is ``None`` or no number left out."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {
            clean(str(key)): sendable(item)
            for key, item in value.items()
            if item is not None and not (isinstance(item, float) and not math.isfinite(item))
        }
    if isinstance(value, list | tuple):
        return [sendable(item) for item in value]
    return value


def items(value: Mapping[str, Any], name: str) -> list[Any]:
    """The list called ``name``, at most ``MAX_SNAPSHOTS_PER_REPORT`` long; empty if it is missing."""
    found = value.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or len(found) > MAX_SNAPSHOTS_PER_REPORT:
        raise WireError("malformed", f"{name}: a list of at most {MAX_SNAPSHOTS_PER_REPORT} is wanted")
    return found


def mapping(name: str, value: object) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise WireError("malformed", f"{name} is {_shown(value)}, an object is wanted")
    return value


def text(name: str, value: object, *, limit: int = MAX_TEXT, default: str | None = None) -> str:
    """A text without control characters and lone surrogates, cut at ``limit``."""
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise WireError("malformed", f"{name} is {_shown(value)}, a text is wanted")
    if value.isprintable():
        return value[:limit]
    if limit > MAX_NAME:
        raise WireError("malformed", f"{name} has characters that cannot be printed")
    return clean(value)[:limit]


def number(name: str, value: object, *, low: float = 0, high: float = _MAX_WHOLE) -> float:
    """A number, not a truth value."""
    if (type(value) is not float and type(value) is not int) or not low <= value <= high:
        raise WireError("malformed", f"{name} is {_shown(value)}, a number from {low:g} to {high:g} is wanted")
    return value


def whole(name: str, value: object, *, high: int = _MAX_WHOLE) -> int:
    """A whole number from 0 on."""
    if type(value) is not int or not 0 <= value <= high:
        raise WireError("malformed", f"{name} is {_shown(value)}, a whole number from 0 to {high} is wanted")
    return value


def time(name: str, value: object) -> datetime:
    """A time between 1970 and 2200, in UTC."""
    if not isinstance(value, str) or len(value) > 64:
        raise WireError("malformed", f"{name} is {_shown(value)}, a time in ISO 8601 is wanted")
    found = parse_time(name, value)
    if not _FIRST <= found <= _LAST:
        raise WireError("malformed", f"{name} is {value}: is the clock right?")
    return found.astimezone(UTC)


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value[:40])
    if isinstance(value, int | float):
        return str(value)[:40] if abs(value) < 1e300 else "a huge number"
    return f"a {type(value).__name__}"


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
        and max(numbers, default=0) <= _MAX_WHOLE
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
            raise WireError("malformed", f"{name}: pairs of numbers are wanted, this is {_shown(pair)}")
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


def signed(name: str, value: object) -> float:
    """A number that may be below 0."""
    return number(name, value, low=-_MAX_WHOLE)


_int32 = partial(whole, high=_MAX_INT32)

MAX_WORK = MAX_NAMES + len(KINDS)
"""Names that one snapshot may bring, with one ``(other)`` for each kind."""


def _histogram(name: str, value: object) -> dict[str, int]:
    found = mapping(name, value)
    if len(found) > LAST + 1 or any(not key.isdecimal() or len(key) > 3 or int(key) > LAST for key in found):
        raise WireError("malformed", f"{name}: an object with the numbers of buckets, 0 to {LAST}, is wanted")
    return {str(int(key)): whole(name, count) for key, count in found.items()}


def _signed_whole(name: str, value: object) -> int:
    if type(value) is not int or not -_MAX_WHOLE <= value <= _MAX_WHOLE:
        raise WireError("malformed", f"{name} is {_shown(value)}, a whole number is wanted")
    return value


_SIGNED = ("blocks", "blocks_max", "rss_kib", "rss_kib_max")
_BY_TYPE: Mapping[type, Callable[[str, object], Any]] = {str: text, float: number, int: whole}
_WORK_CHECKS = {field: _BY_TYPE.get(kind, _histogram) for field, kind in get_type_hints(WorkFigures).items()}
_WORK_CHECKS |= dict.fromkeys(_SIGNED, _signed_whole)
_WORK_CHECKS["blocks_squares"] = partial(number, high=float(_MAX_WHOLE) ** 2)


def _work(name: str, value: object) -> tuple[WorkFigures, ...]:
    if not isinstance(value, list) or len(value) > MAX_WORK:
        raise WireError("malformed", f"{name}: a list of at most {MAX_WORK} is wanted")
    found = [_work_figures(item) for item in value]
    return tuple([item for item in found if item.kind in KINDS])  # a newer agent may know more kinds


def _work_figures(value: object) -> WorkFigures:
    if not isinstance(value, list) or len(value) < 2:
        raise WireError("malformed", f"work: lists of figures are wanted, this is {_shown(value)}")
    checked = [check(field, item) for (field, check), item in zip(_WORK_CHECKS.items(), value, strict=False)]
    return WorkFigures(*checked)


def _check(figure: Figure) -> Callable[[str, object], Any]:
    if not figure.unit.whole:
        return number
    return _int32 if figure.small else whole


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
        raise WireError("malformed", f"snapshots: pairs of a number and figures are wanted, this is {_shown(value)}")
    seq, figures = value
    known = {
        name: _CHECKS[name](name, item)
        for name, item in mapping("snapshot", figures).items()
        if item is not None and name in _CHECKS
    }
    return whole("seq", seq), MemorySnapshot(timestamp=time("timestamp", figures.get("timestamp")), **known)


def process(value: object) -> ProcessInfo:
    """Who reports."""
    found = mapping("process", value)
    parent = found.get("parent_pid")
    budget = found.get("cpu_budget_percent")
    modules = found.get("extension_modules") or []
    if not isinstance(modules, list):
        raise WireError("malformed", f"extension_modules is {_shown(modules)}, a list is wanted")
    return ProcessInfo(
        host=text("host", found["host"]) or "unknown",
        pid=_int32("pid", found["pid"]),
        started_at=time("started_at", found["started_at"]),
        nonce=text("nonce", found["nonce"], limit=64),
        service=text("service", found["service"]) or "unknown",
        program=text("program", found.get("program"), default=""),
        command_line=text("command_line", found.get("command_line"), default=""),
        parent_pid=None if parent is None else _int32("parent_pid", parent),
        release=text("release", found.get("release"), default=""),
        python=text("python", found.get("python"), default=""),
        agent=text("agent", found.get("agent"), default=""),
        extension_modules=tuple(text("extension_modules", item) for item in modules[:100]),
        census_method=text("census_method", found.get("census_method"), default=""),
        cpu_budget_percent=None if budget is None else number("cpu_budget_percent", budget, high=100),
    )


def outside(value: object) -> OutsideProcess:
    """A process that another reports."""
    found = mapping("outside", value)
    return OutsideProcess(
        pid=_int32("pid", found["pid"]),
        started_at=time("started_at", found["started_at"]),
        program=text("program", found.get("program"), default=""),
        command_line=text("command_line", found.get("command_line"), default=""),
        rss_mb=number("rss_mb", found["rss_mb"]),
        vms_mb=number("vms_mb", found["vms_mb"]),
        timestamp=time("timestamp", found["timestamp"]),
    )
