"""The file of a flight record: where what is, and how it is read.

Jobs and seconds have places of a fixed size: a second is written by one store, of a job the state comes last. What
changes with a snapshot is JSON in two places, written in turn, each with a checksum: a process that is killed while it
writes leaves the one before.
"""

from __future__ import annotations

import dataclasses
import json
import struct
import zlib
from datetime import UTC, datetime
from typing import Any

from memwatch.records import traces
from memwatch.records.flight import ENDINGS, MAX_RECENT, MAX_RUNNING, MAX_SECONDS, STATES, Flight
from memwatch.records.work import KINDS, UNNAMED
from memwatch.transport import schema, strict_json
from memwatch.transport.flights import checks
from memwatch.transport.schema import WireError

SIZE, SIZE_WITH_SPANS = 16 * 1024, 20 * 1024
"""The spans of jobs follow what every version reads; only processes with ``TRACES`` have them."""
MAGIC = b"memwatchflight1\n"
STATE_AT, ENDING_AT = len(MAGIC), len(MAGIC) + 1
"""One byte each: the index in ``STATES``, and 1 + the index in ``ENDINGS``."""

NOTE = struct.Struct("<4sid")
"""A mark, an exit status, and when it was noted: the process's parent writes it, after the end."""
NOTE_AT, NOTE_MARK = 32, b"note"

PART = struct.Struct("<II")
"""Before a JSON text: its bytes and its checksum."""
WHO_AT, WHO_BYTES = 64, 1536
FACTS_AT, FACTS_BYTES = WHO_AT + WHO_BYTES, 1536
SUMMARY_AT, SUMMARY_BYTES = FACTS_AT + 2 * FACTS_BYTES, 2048

JOB = struct.Struct("=BBHfdd160s")
"""State, index in ``KINDS``, bytes of the name before it was cut, limit (0: none), began, seconds, name in UTF-8.

In the machine's own order of bytes: all but the name is written in words, through views of the file.
"""
WORD = 8
BEGAN_IN_JOB, SECONDS_IN_JOB, NAME_IN_JOB = WORD, 2 * WORD, 3 * WORD
NAME_BYTES = 160
_MAX_PATH = 1000
FREE, RUNS, ENDED = 0, 1, 2
JOBS_AT = SUMMARY_AT + SUMMARY_BYTES
MAX_JOBS = MAX_RUNNING + MAX_RECENT
"""A slot may hold a job that runs or one that has ended."""

SECOND = struct.Struct("<df")
"""Seconds since 1970, and MB of resident memory."""
RSS_AT = JOBS_AT + MAX_JOBS * JOB.size

SPAN = struct.Struct("=d16s8s")
"""When the job of the same place began, and its trace and span. That of an earlier job of the place says another time,
so a job without a span writes nothing here."""
SPANS_AT = RSS_AT + MAX_SECONDS * SECOND.size
assert SPANS_AT <= SIZE  # noqa: S101 - of constants
assert SPANS_AT + MAX_JOBS * SPAN.size <= SIZE_WITH_SPANS  # noqa: S101


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """What a file says."""

    flight: Flight
    ticks: int
    """When the process started, in the kernel's ticks since the machine did; 0: not known."""
    pid_space: int
    """Where its pid is valid; 0: not known."""
    oom_file: str
    """Where the counters of its cgroup are read; empty: not known."""
    status: int | None
    """What its parent has noted."""


def part(value: Any, room: int) -> bytes:
    """A JSON text as it stands in the file. Raises :class:`ValueError` for one that does not fit."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    if len(text) + PART.size > room:
        raise ValueError(f"{len(text)} bytes are more than the flight record has room for")
    return PART.pack(len(text), zlib.crc32(text)) + text


def read(data: bytes) -> Recorded:
    """Check and build; :class:`WireError` otherwise, whatever the bytes are."""
    if len(data) not in (SIZE, SIZE_WITH_SPANS) or not data.startswith(MAGIC):
        raise WireError("malformed", "flight record: not the file of one")
    with schema.malformed("flight record"):
        return _read(data)


def _read(data: bytes) -> Recorded:
    who = _part(data, WHO_AT, WHO_BYTES)
    if who is None:
        raise WireError("malformed", "flight record: it does not say of which process")
    facts = _facts(data)
    summary = _part(data, SUMMARY_AT, SUMMARY_BYTES) or {}
    running = sorted(_jobs(data, RUNS), key=lambda job: job[2])[:MAX_RUNNING]
    recent = sorted(_jobs(data, ENDED), key=lambda job: -job[2] - job[3])[:MAX_RECENT]
    seconds = sorted(_seconds(data))
    state, ending = data[STATE_AT], data[ENDING_AT]
    started = schema.time("started_at", who["started_at"])
    times = [
        started.timestamp(),
        facts.get("at", 0.0),
        *(job[2] for job in running),
        *(job[2] + job[3] for job in recent),
        *(at for at, _mb in seconds),
    ]
    flight = checks.flight(
        {
            **facts,
            "key": f"{who['host']}:{who['pid']}:{started.timestamp():.3f}:{who['nonce']}",
            "service": who["service"],
            "host": who["host"],
            "pid": who["pid"],
            "started_at": who["started_at"],
            "time_limit_s": who.get("time_limit_s"),
            "heartbeat_s": who.get("heartbeat_s"),
            "written_at": datetime.fromtimestamp(max(times), UTC).isoformat(),
            "state": STATES[state] if state < len(STATES) else "",
            "ending": ENDINGS[ending - 1] if 0 < ending <= len(ENDINGS) else "",
            "running": running,
            "recent": recent,
            "rss_seconds": seconds,
            "summary": summary.get("rows"),
            "summary_at": summary.get("at"),
        }
    )
    return Recorded(
        flight=flight,
        ticks=schema.whole("ticks", who.get("ticks", 0)),
        pid_space=schema.whole("pid_space", who.get("pid_space", 0)),
        oom_file=schema.text("oom_file", who.get("oom_file"), limit=_MAX_PATH, default=""),
        status=_noted(data),
    )


def _part(data: bytes, at: int, room: int) -> dict[str, Any] | None:
    length, checksum = PART.unpack_from(data, at)
    if not 0 < length <= room - PART.size:
        return None
    text = data[at + PART.size : at + PART.size + length]
    value = strict_json.loads(text) if zlib.crc32(text) == checksum else None
    return value if isinstance(value, dict) else None


def _facts(data: bytes) -> dict[str, Any]:
    copies = [_part(data, FACTS_AT + number * FACTS_BYTES, FACTS_BYTES) or {} for number in (0, 1)]
    return max(copies, key=lambda facts: float(facts.get("at", 0.0)))


def _jobs(data: bytes, wanted: int) -> list[list[Any]]:
    jobs = []
    for number in range(MAX_JOBS):
        state, kind, length, limit_s, began, seconds, name = JOB.unpack_from(data, JOBS_AT + number * JOB.size)
        if state == wanted and kind < len(KINDS):
            text = name[: min(length, NAME_BYTES)].decode(errors="ignore") or UNNAMED
            jobs.append([
                KINDS[kind], text, began, seconds if wanted == ENDED else None, limit_s or None,
                _span(data, number, began),
            ])  # fmt: skip
    return jobs


def _span(data: bytes, number: int, began: float) -> str:
    if len(data) < SIZE_WITH_SPANS:
        return ""
    job_began, trace, span = SPAN.unpack_from(data, SPANS_AT + number * SPAN.size)
    return traces.text(int.from_bytes(trace), int.from_bytes(span)) if job_began == began else ""


def _seconds(data: bytes) -> list[list[float]]:
    found = (SECOND.unpack_from(data, RSS_AT + number * SECOND.size) for number in range(MAX_SECONDS))
    return [[at, round(mb, 1)] for at, mb in found if at]


def _noted(data: bytes) -> int | None:
    mark, status, _at = NOTE.unpack_from(data, NOTE_AT)
    return checks.status(status) if mark == NOTE_MARK else None
