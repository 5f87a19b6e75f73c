"""Lives of a server's workers as ingest would have stored them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from memwatch.models import Process
from tests.services.stored import MINUTE, end_process, store_process, store_snapshots, store_work

LIMIT_KIB = 1024 * 1024


def store_lives(
    now: datetime,
    service: str = "web",
    lives: int = 6,
    *,
    program: str = "gunicorn worker",
    minutes: int = 60,
    kib_per_job: float = 40.0,
    jobs_per_minute: float = 20.0,
    base_mb: float = 150.0,
    shared_mb: float | None = None,
    alive: int = 2,
    **values: Any,
) -> list[Process]:
    """One after the other, the last ``alive`` of them still running at ``now``; each grows by its jobs."""
    made = []
    for number in range(lives):
        ended = number < lives - alive
        began = now - timedelta(minutes=minutes * (lives - alive - number + 1) if ended else minutes)
        slot = Process.objects.count() + 1
        kind = "tasks_handled" if "celery" in program else "requests_handled"

        def figures(minute: float, began: datetime = began, number: int = number, kind: str = kind) -> dict[str, Any]:
            from tests.services.stored import NOON

            age = minute - (began - NOON) / MINUTE
            jobs = round(age * jobs_per_minute)
            rss = round(base_mb * 1024 + jobs * kib_per_job * (1 + number % 3 / 20) + (jobs * 7919) % 300)
            known = {"rss_kib": rss, kind: jobs, "cgroup_limit_kib": LIMIT_KIB, "heap_limit_kib": LIMIT_KIB}
            return known if shared_mb is None else {**known, "uss_kib": rss - round(shared_mb * 1024)}

        process = store_process(service, slot=slot, started=began, program=program, **values)
        store_snapshots(process, began, began + (minutes - 1) * MINUTE, figures)
        process.last_seq = minutes - 1
        if ended:
            end_process(process, began + minutes * MINUTE, Process.End.RECYCLED)
        process.save()
        made.append(process)
    return made


def store_peaks(process: Process, at: datetime, highest_mb: float = 30.0) -> None:
    """An hour of jobs most of which rise by 1 MB, and one by so much."""
    start = at.replace(minute=0, second=0, microsecond=0)
    kib = round(highest_mb * 1024)
    store_work(
        process, start, "shop.report", calls=1000, peak_calls=1000, peak_kib_max=kib, peak_counts={"73": 999, "108": 1}
    )
