"""What each kind of recording can be asked for, and whether a process can be asked at all. Pure functions of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from memwatch.models import FlameGraphMode, Process, RecordingKind
from memwatch.models.recordings import MAX_DURATION_S, MAX_FRAMES

DURATION_S = 30
UNTRACKED = "untracked"
"""In place of a type, for referrers: the objects that the collector does not track, by the container that grows."""
SLACK_S = 150
"""For starting, for what takes no set time, and for the way of the outcome."""
_OTHER_POOLS = ("solo", "threads", "gevent", "eventlet")


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"give a whole number from {low} to {high}")
        return value

    return check


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("give true or false")
    return value


def _type(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 300 or not value.isprintable():
        raise ValueError('give the name of a type, e.g. "shop.leaks.PriceQuote"')
    return value.strip()


def _mode(value: Any) -> str:
    if value not in FlameGraphMode.values:
        raise ValueError(f"give one of: {', '.join(FlameGraphMode.values)}")
    return str(value)


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "type": _type,
    "container": _type,
    "samples": _whole(1, 100),
    "values": _flag,
    "depth": _whole(1, 12),
    "duration_s": _whole(1, MAX_DURATION_S),
    "frames": _whole(1, MAX_FRAMES),
    "max_traced_mb": _whole(1, 1024),
    "mode": _mode,
    "native_traces": _flag,
    "max_file_mb": _whole(1, 64),
}
OF_KIND: Mapping[str, tuple[str, ...]] = {
    RecordingKind.REFERRERS: ("type", "container", "samples", "values", "depth"),
    RecordingKind.ALLOCATIONS: ("type", "duration_s", "frames", "max_traced_mb"),
    RecordingKind.FLAMEGRAPH: ("duration_s", "mode", "native_traces", "max_file_mb"),
    RecordingKind.HEAP_SUMMARY: (),
}
"""The options that mean something to each kind."""


def checked(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, checked. Raises :class:`ValueError` that names the option and what is right."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in OF_KIND[kind]:
            known = ", ".join(OF_KIND[kind]) or "none"
            raise ValueError(f"{name} means nothing to a recording of {kind}: its options are {known}")
        if value is None:
            continue
        try:
            found[name] = _CHECKS[name](value)
        except ValueError as error:
            raise ValueError(f"{name} is {str(value)[:60]!r}: {error}") from None
    if kind == RecordingKind.REFERRERS and "type" not in found:
        raise ValueError('type is missing: give the name of the type whose referrers are looked for, e.g. "shop.Quote"')
    return found


def fitting(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options that mean something to this kind."""
    found = {name: value for name, value in given.items() if name in OF_KIND[kind] and value is not None}
    if kind == RecordingKind.ALLOCATIONS and found.get("type") == UNTRACKED:
        del found["type"]
    return found


def takes_s(kind: str, options: Mapping[str, Any]) -> int:
    """Seconds that the recording itself takes; 0 for one that is over when it is."""
    return int(options.get("duration_s", DURATION_S)) if "duration_s" in OF_KIND[kind] else 0


def refusal(process: Process, kind: str) -> str | None:
    """Why this process cannot be recorded, as a sentence; ``None`` where it can."""
    if process.ended_at is not None:
        return f"{process} has ended: only a running process can be recorded, look for its successor"
    if process.outside:
        return f"{process} is seen from outside: it has no agent that could record; record one of its workers"
    if kind == RecordingKind.FLAMEGRAPH and forks(process):
        return f"{process} is a {process.program} that forks workers: a flame graph would follow them; record a worker"
    return None


def forks(process: Process) -> bool:
    """Whether it is a main process that forks its workers."""
    if process.program == "celery main":
        words = process.command_line.replace("=", " ").split()
        return not any(word.removeprefix("-P") in _OTHER_POOLS for word in words)
    return process.program.endswith(" master")
