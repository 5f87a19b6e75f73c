"""Reports as agents send them, for the tests of the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from memwatch.records import MemorySnapshot
from memwatch.sampling.identity import OutsideProcess, ProcessInfo
from memwatch.transport.wire import Answer, Report

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def process(pid: int = 100, *, service: str = "web", host: str = "h1", age_s: float = 0.0, **more: Any) -> ProcessInfo:
    """A process started at ``START - age_s``."""
    return ProcessInfo(
        **{
            "host": host,
            "pid": pid,
            "started_at": START - timedelta(seconds=age_s),
            "nonce": f"n{pid}",
            "service": service,
            "program": "gunicorn worker",
            "python": "3.11.7",
            "agent": "0.1.0",
            **more,
        }
    )


def snapshot(at_s: float = 0.0, *, counts: Mapping[str, int] | None = None, **figures: Any) -> MemorySnapshot:
    """A snapshot taken at ``START + at_s``."""
    return MemorySnapshot(
        **{
            "timestamp": START + timedelta(seconds=at_s),
            "heap_size_mb": 1024.0,
            "heap_limit_source": "setting",
            "heap_used_mb": 64.0,
            "heap_committed_mb": 80.0,
            "pymalloc_used_mb": 48.0,
            "rss_mb": 96.0,
            "vms_mb": 200.0,
            "total_objects": 60_000,
            "top_objects": dict(counts) if counts is not None else {"dict": 9_000, "tuple": 7_000},
            "allocated_blocks": 300_000,
            "gc_count": (10, 2, 1),
            "gc_threshold": (700, 10, 10),
            "gc_collections_gen0": 100,
            "gc_collections_gen1": 10,
            "gc_collections_gen2": 1,
            "requests_handled": 12,
            "threads": 3,
            "page_faults": 21,
            "cpu_user_s": 4.25,
            "cpu_system_s": 0.5,
            "open_files": 17,
            "voluntary_switches": 900,
            "involuntary_switches": 35,
            "census_pause_ms": 3.5,
            "snapshot_cpu_ms": 6.25,
            **figures,
        }
    )


def report(
    who: ProcessInfo | None = None,
    snapshots: Mapping[int, MemorySnapshot] | None = None,
    *,
    sent_s: float | None = None,
    lease_s: float = 180.0,
    answers: Iterable[Answer] = (),
    outside: Iterable[OutsideProcess] = (),
    **more: Any,
) -> Report:
    """A report of ``{seq: snapshot}``, sent at the last snapshot's time or at ``START + sent_s``."""
    snapshots = snapshots or {}
    sent_at = max((item.timestamp for item in snapshots.values()), default=START)
    return Report(
        process=who or process(),
        sent_at=sent_at if sent_s is None else START + timedelta(seconds=sent_s),
        lease_s=lease_s,
        snapshots=tuple(snapshots.items()),
        answers=tuple(answers),
        outside=tuple(outside),
        **more,
    )


def at(seconds: float) -> datetime:
    """``START + seconds``."""
    return START + timedelta(seconds=seconds)
