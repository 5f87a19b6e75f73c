"""What a flight record and the end of a process may hold, as :mod:`memwatch.transport.schema` says it of reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from memwatch.records import traces
from memwatch.records.flight import (
    BECAME_ANOTHER,
    ENDINGS,
    MAX_DEATHS,
    MAX_GROWERS,
    MAX_RECENT,
    MAX_RUNNING,
    MAX_SECONDS,
    MAX_SUMMARY,
    RUNNING,
    STATES,
    Death,
    Flight,
    JobRun,
    TypeSize,
)
from memwatch.records.work import KINDS
from memwatch.transport import schema
from memwatch.transport.schema import WireError

MAX_FLIGHT_BYTES = 16 * 1024
"""Of a record as JSON."""
MAX_KEY = 1000
STATUS_FROM = ("", "pidfd", "hook", BECAME_ANOTHER)
_LOWEST_STATUS, _HIGHEST_STATUS = -128, 255


def load_flight(payload: bytes) -> Flight:
    """The record that :func:`flight_bytes` has made. Raises :class:`WireError`."""
    with schema.malformed("flight record"):
        return flight(schema.load_json(payload, MAX_FLIGHT_BYTES))


def flight_bytes(record: Flight) -> bytes:
    """A record as JSON; jobs that ended are left out, the eldest first, until it fits."""
    recent = record.recent
    while True:
        value = {**record.to_dict(), "recent": list(map(list, recent))}
        payload = json.dumps(schema.sendable(value), separators=(",", ":"), ensure_ascii=False).encode()
        if len(payload) <= MAX_FLIGHT_BYTES or not recent:
            return payload
        recent = recent[:-1]


def deaths(value: object) -> tuple[Death, ...]:
    """The ends of other processes that a report brings."""
    return tuple(map(_death, [] if value is None else _listed("deaths", value, MAX_DEATHS)))


def ending(value: object) -> str:
    """Why a process leaves; a word of a newer agent is none."""
    found = schema.text("ending", value, default="")
    return found if found in ENDINGS else ""


def oom_counters(value: object) -> tuple[int, int] | None:
    """``[oom_kill, oom_group_kill]``."""
    if value is None:
        return None
    kills, group_kills = _fields("oom", value, 2)
    return schema.whole("oom", kills), schema.whole("oom", group_kills)


def _death(value: object) -> Death:
    found = schema.mapping("death", value)
    record = found.get("flight")
    of = None if record is None else flight(record)
    if of is not None and of.key != found["key"]:
        raise WireError("malformed", "death: its flight record is of another process")
    source = schema.text("status_from", found.get("status_from"), default="")
    return Death(
        key=key(found),
        noticed_at=schema.time("noticed_at", found["noticed_at"]),
        status=status(found.get("status")),
        status_from=source if source in STATUS_FROM else "",
        oom_kills=_optional(schema.whole, "oom_kills", found),
        oom_group_kills=_optional(schema.whole, "oom_group_kills", found),
        kernel_line=schema.text("kernel_line", found.get("kernel_line"), default=""),
        kernel_log=found.get("kernel_log") is True,
        flight=of,
    )


def status(value: object) -> int | None:
    """The end of a process, as :attr:`subprocess.Popen.returncode` says it."""
    if value is not None and (type(value) is not int or not _LOWEST_STATUS <= value <= _HIGHEST_STATUS):
        raise WireError("malformed", "status: an exit code, or a signal's number below 0, is wanted")
    return value


def flight(value: object) -> Flight:
    """A record as :meth:`Flight.to_dict` writes it."""
    found = schema.mapping("flight", value)
    state = schema.text("state", found.get("state"), default=RUNNING)
    return Flight(
        key=key(found),
        service=schema.text("service", found["service"]) or "unknown",
        host=schema.text("host", found["host"]) or "unknown",
        pid=schema.int32("pid", found["pid"]),
        started_at=schema.time("started_at", found["started_at"]),
        written_at=schema.time("written_at", found["written_at"]),
        state=state if state in STATES else RUNNING,
        ending=ending(found.get("ending")),
        running=_jobs("running", found, MAX_RUNNING),
        recent=_jobs("recent", found, MAX_RECENT),
        rss_seconds=tuple(map(_second, _items("rss_seconds", found, MAX_SECONDS))),
        rss_mb=_optional(schema.number, "rss_mb", found),
        limit_mb=_optional(schema.number, "limit_mb", found),
        limit_source=_optional(schema.text, "limit_source", found),
        container_mb=_optional(schema.number, "container_mb", found),
        container_limit_mb=_optional(schema.number, "container_limit_mb", found),
        oom_kills=_optional(schema.whole, "oom_kills", found),
        oom_group_kills=_optional(schema.whole, "oom_group_kills", found),
        growers=tuple(map(_grower, _items("growers", found, MAX_GROWERS))),
        summary=tuple(map(_type_size, _items("summary", found, MAX_SUMMARY))),
        summary_at=_optional(schema.time, "summary_at", found),
        time_limit_s=_optional(schema.number, "time_limit_s", found),
        heartbeat_s=_optional(schema.number, "heartbeat_s", found),
    )


def key(found: Mapping[str, Any]) -> str:
    """The process's."""
    value = found["key"]
    if not isinstance(value, str) or not 0 < len(value) <= MAX_KEY or not value.isprintable():
        raise WireError("malformed", f"key: a text of at most {MAX_KEY} characters is wanted")
    return value


def _optional(check: Callable[[str, object], Any], name: str, found: Mapping[str, Any]) -> Any:
    value = found.get(name)
    return None if value is None else check(name, value)


def _items(name: str, found: Mapping[str, Any], most: int) -> list[Any]:
    value = found.get(name)
    return [] if value is None else _listed(name, value, most)


def _listed(name: str, value: object, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise WireError("malformed", f"{name}: a list of at most {most} is wanted")
    return value


def _fields(name: str, value: object, least: int) -> list[Any]:
    if not isinstance(value, list) or len(value) < least:
        raise WireError("malformed", f"{name}: lists of at least {least} values are wanted")
    return value


def _jobs(name: str, found: Mapping[str, Any], most: int) -> tuple[JobRun, ...]:
    jobs = [_job(name, item) for item in _items(name, found, most)]
    return tuple([job for job in jobs if job.kind in KINDS])  # a newer agent may know more kinds


def _job(where: str, value: object) -> JobRun:
    kind, name, began, seconds, limit_s, span = (*_fields(where, value, 3), None, None, "")[:6]
    return JobRun(
        schema.text("kind", kind),
        schema.text("name", name),
        schema.moment("began", began),
        None if seconds is None else schema.number("seconds", seconds),
        None if limit_s is None else schema.number("limit_s", limit_s),
        traces.checked(span),
    )


def _second(value: object) -> tuple[float, float]:
    at, mb = _fields("rss_seconds", value, 2)[:2]
    return schema.moment("rss_seconds", at), schema.number("rss_seconds", mb)


def _grower(value: object) -> tuple[str, int]:
    name, gained = _fields("growers", value, 2)[:2]
    return schema.text("growers", name), schema.whole("growers", gained)


def _type_size(value: object) -> TypeSize:
    name, objects, mb = (*_fields("summary", value, 2), None)[:3]
    size = None if mb is None else schema.number("summary", mb)
    return TypeSize(schema.text("summary", name), schema.whole("summary", objects), size)
