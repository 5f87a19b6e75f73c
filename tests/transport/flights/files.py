"""Files of flight records, made byte by byte: the reader is tested without the writer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from memwatch.records.work import KINDS
from memwatch.transport.flights import folder, layout
from tests.transport.test_wire import NOW

NONCE = "0123456789abcdef"
WHO = {"service": "web", "host": "web1", "pid": 4711, "started_at": NOW.isoformat(), "nonce": NONCE}
KEY = f"web1:4711:{NOW.timestamp():.3f}:{NONCE}"
AT = NOW.timestamp() + 60

Job = tuple[str, str, float, float]


def data(
    *,
    who: Any = WHO,
    facts: Sequence[Any] = (),
    summary: Any = None,
    running: Sequence[Job] = (),
    recent: Sequence[Job] = (),
    seconds: Sequence[tuple[float, float]] = (),
    note: int | None = None,
) -> bytearray:
    """The file's bytes."""
    made = bytearray(layout.SIZE)
    made[: len(layout.MAGIC)] = layout.MAGIC

    def put(value: Any, at: int, room: int) -> None:
        text = layout.part(value, room)
        made[at : at + len(text)] = text

    put(who, layout.WHO_AT, layout.WHO_BYTES)
    for number, value in enumerate(facts):
        put(value, layout.FACTS_AT + number * layout.FACTS_BYTES, layout.FACTS_BYTES)
    if summary is not None:
        put(summary, layout.SUMMARY_AT, layout.SUMMARY_BYTES)
    for start, state, jobs in (
        (layout.JOBS_AT, layout.RUNS, running),
        (layout.JOBS_AT + len(running) * layout.JOB.size, layout.ENDED, recent),
    ):
        for number, (kind, name, began, took) in enumerate(jobs):
            text = name.encode()
            layout.JOB.pack_into(
                made, start + number * layout.JOB.size, state, KINDS.index(kind), len(text), 0.0, began, took, text
            )
    for number, second in enumerate(seconds):
        layout.SECOND.pack_into(made, layout.RSS_AT + number * layout.SECOND.size, *second)
    if note is not None:
        layout.NOTE.pack_into(made, layout.NOTE_AT, layout.NOTE_MARK, note, time.time())
    return made


def write(where: Path, content: bytes | bytearray, *, pid: int = 4711, nonce: str = NONCE, age: int = 1) -> Path:
    """A file in the transport's folder, whose process is gone."""
    path = where / folder.FLIGHTS / folder.file_name(age, pid, nonce)
    for made in (where, path.parent):
        made.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(content)
    return path
