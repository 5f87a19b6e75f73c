"""Which options a recording is requested with, and whether a process can be recorded at all. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memwatch.diagnosis.context import Refused
from memwatch.diagnosis.context import forks as program_forks
from memwatch.diagnosis.copy.parent import LONGEST_S, PATIENCE
from memwatch.diagnosis.options import DURATION_S, OF_KIND, UNTRACKED, read
from memwatch.models import Process, RecordingKind

SLACK_S = 60 + int(PATIENCE * LONGEST_S)
"""For starting, for a copy that waits for its turn on a busy machine, and for the way of the outcome."""


HEAP_DUMP_S = 300
"""For the copy that writes it, and for sending it in parts."""


def checked(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, cut to their bounds.

    Raises :class:`ValueError` that names the option and what would be right, also for an option of another kind.
    """
    for name in given:
        if name not in OF_KIND[kind]:
            known = ", ".join(OF_KIND[kind]) or "none"
            raise ValueError(f"{name} means nothing to a recording of {kind}: its options are {known}")
    try:
        return read(kind, given)
    except Refused as refused:
        raise ValueError(str(refused)) from None


def fitting(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given options that belong to this kind."""
    options = {name: value for name, value in given.items() if name in OF_KIND[kind] and value is not None}
    if kind == RecordingKind.ALLOCATIONS and options.get("type") == UNTRACKED:
        del options["type"]
    return options


def takes_s(kind: str, options: Mapping[str, Any]) -> int:
    """Seconds that the recording traces, or that its outcome may be under way; 0 for a kind that ends by itself."""
    if kind == RecordingKind.HEAP_DUMP:
        return HEAP_DUMP_S
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
    return program_forks(process.program, process.command_line.split())
