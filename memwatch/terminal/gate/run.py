"""The course of a gate: drive the site, keep memwatch's timetable going, and look at what came of it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from memwatch.conf import get_settings
from memwatch.formatting import megabytes
from memwatch.models import Leak
from memwatch.queries import gate as queries
from memwatch.queries.diagnosis.recordings import recordings_of
from memwatch.services import commands
from memwatch.terminal.gate import outcome as outcomes
from memwatch.terminal.gate.load import Load
from memwatch.terminal.gate.outcome import DEATH, Finding, Outcome
from memwatch.terminal.report import report
from memwatch.timetable import runner
from memwatch.timetable.steps import STEPS

LOOK_S, TELL_S = 1.0, 15.0
LAST_SNAPSHOT_S = 10.0
LOOK_ENDS_S = 60.0
"""How long to wait for a look at a heap, before which no leak is opened."""
LAST_STEPS = ("ingest_reports", "detect_leaks", "end_stale_processes")


def run(load: Load, seconds: float, *, service: str | None, more_percent: float, say: Callable[[str], None]) -> Outcome:
    """Drive the site for so long, and say what memwatch found. Raises :class:`DatabaseError`."""
    since, began = timezone.now(), time.monotonic()
    load.start()
    try:
        _wait(load, seconds, lambda: _seen(since, service), say)
    finally:
        load.stop()
    took = time.monotonic() - began
    say("asking for the last snapshots …")
    commands.request_snapshots(queries.alive_now(since, service), wait_s=LAST_SNAPSHOT_S)
    failed = [name for name in LAST_STEPS if not runner.run_step(name, STEPS[name])]
    until = time.monotonic() + LOOK_ENDS_S
    while (looking := queries.looks_under_way(since, service)) and time.monotonic() < until:
        time.sleep(LOOK_S)
        runner.run_step("ingest_reports", STEPS["ingest_reports"])  # judges again when the look has ended
    made = _judged(load, took, since, service, more_percent)
    reasons = tuple(f"memwatch's step {name} failed: the log says why." for name in failed)
    if looking:
        reasons += ("A process is still looked at for a leak: give more --minutes.",)
    return dataclasses.replace(made, unclear=(*made.unclear, *reasons))


def _wait(load: Load, seconds: float, seen: Callable[[], str], say: Callable[[str], None]) -> None:
    """Until the time is over."""
    tell_at = began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        runner.run_once()
        if time.monotonic() >= tell_at:
            tell_at = time.monotonic() + TELL_S
            say(f"{_clock(passed)} of {_clock(seconds)}: {load.told()}{seen()}")
        time.sleep(min(LOOK_S, max(0.0, seconds - passed)))


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def _seen(since: datetime, service: str | None) -> str:
    runs = queries.service_runs(since, timezone.now(), service)
    peaks = ", ".join(f"{each.service} {megabytes(each.peak_mb)}" for each in runs)
    leaks = sum(leak.state in (Leak.State.OPEN, Leak.State.RESOLVED) for leak in queries.leaks_seen(since, service))
    return f"; {peaks or 'no process has reported'}; {leaks} leak{'' if leaks == 1 else 's'}"


def _judged(load: Load, took: float, since: datetime, service: str | None, more_percent: float) -> Outcome:
    now = timezone.now()
    services = tuple(queries.service_runs(since, now, service))
    limits = dataclasses.replace(get_settings(), release_change_percent=more_percent)
    comparisons = queries.comparisons(services, now)
    rows = {leak.pk: leak for leak in queries.leaks_seen(since, service)}
    facts = [(each, *_place(rows[each.id])) for each in report(rows.values(), now).leaks]
    deaths = [
        Finding(
            kind=DEATH,
            service=str(process.service),
            subject=str(process),
            text=f"How it ended: {process.get_end_reason_display()}.",
        )
        for process in queries.deaths_since(since, service)
    ]
    return Outcome(
        seconds=took,
        load=load.told(),
        services=services,
        findings=(
            *outcomes.leaks(facts),
            *outcomes.larger(comparisons, limits),
            *outcomes.peaks(services, limits),
            *deaths,
        ),
        releases=tuple(map(outcomes.against, comparisons)),
        unclear=tuple(outcomes.unclear(services, service, load.obstacle())),
    )


def _place(leak: Leak) -> tuple[str, int]:
    """File and line where a recording saw the container added to; empty where none did."""
    for recording in recordings_of(leak):
        holder: Any = recording.result.get("holder") if isinstance(recording.result, Mapping) else None
        code = holder.get("code") if isinstance(holder, Mapping) else None
        if isinstance(code, str):
            file, _, line = code.rpartition(":")
            if file and line.isdecimal():
                return file, int(line)
    return "", 0
