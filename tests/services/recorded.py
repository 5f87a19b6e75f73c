"""Recordings as agents would have brought them."""

from __future__ import annotations

import json
import secrets
import tempfile
from pathlib import Path
from typing import Any

from django.utils import timezone

from memwatch.models import Process, Recording
from memwatch.sampling.identity import ProcessInfo
from memwatch.services.ingest import reader
from memwatch.services.recordings import progress
from memwatch.transport.recordings import JSON, split
from memwatch.transport.wire import Report

QUOTE = "shop.leaks.PriceQuote"
REFERRERS: dict[str, Any] = {
    "type": QUOTE, "instances": 20_001, "new_since_baseline": 19_000,
    "referrers": [{"holder_type": "dict", "via": "key", "count": 20_001}],
    "chains": [
        {"path": ["shop.leaks.QUOTES (dict, 20,001 entries)", QUOTE], "count": 20_001, "root": "module shop.leaks"},
        {"path": ["a local variable", QUOTE], "count": 1, "root": "thread MainThread"},
    ],
    "holder": {
        "name": "shop.leaks.QUOTES", "type": "dict", "length": 20_001, "retained_kb": 8_400.0,
        "retained_is_lower_bound": True,
    },
    "samples": [{"total": "4711"}], "notes": ["Every instance was examined."],
}  # fmt: skip
ALLOCATIONS: dict[str, Any] = {
    "seconds": 30.0, "traced_mb": 3.5, "frames": 1,
    "sites": [
        {"file": "/srv/django/db.py", "line": 9, "function": "execute", "size_kb": 900.0, "count": 10,
         "size_growth_kb_per_min": 1_000.0, "code": "rows = []", "traceback": [], "of_type": False},
        {"file": "/srv/shop/leaks.py", "line": 27, "function": "quote", "size_kb": 500.0, "count": 4_000,
         "size_growth_kb_per_min": 900.0, "code": "QUOTES[request_id] = PriceQuote(basket)",
         "traceback": ["/srv/shop/views.py:40"], "of_type": True},
    ],
    "notes": [],
}  # fmt: skip
HEAP_SUMMARY: dict[str, Any] = {
    "types": [{"type": "dict", "count": 9_000, "size_kb": 2_000.0, "size_error_kb": 150.0}],
    "containers": [{"name": "shop.leaks.FRAGMENTS", "type": "list", "length": 50_000, "holds": "str"}],
    "modules": [{"module": "shop", "count": 20_001, "size_kb": 1_000.0}],
    "garbage": 0, "threads": ["MainThread"],
    "suspects": [{"name": "handlers of logger shop", "count": 12, "advice": "add handlers once"}], "notes": [],
    "mappings": [
        {"name": "malloc, arenas of threads", "size_kb": 300_000.0, "count": 9, "grew_kb": 212_000.0},
        {"name": "libc.so.6, library", "size_kb": 1_400.0, "count": 5, "grew_kb": 0.0},
    ],
}  # fmt: skip
TRIM: dict[str, Any] = {
    "at": 1_000_000.0, "trimmed": True, "malloc": "glibc 2.36", "pause_ms": 412.5, "threads": 11,
    "rss_before_mb": 2150.0, "rss_after_mb": 820.0, "uss_before_mb": 2100.0, "uss_after_mb": 770.0,
    "malloc_system_mb": 1900.0, "malloc_free_mb": 1500.0, "malloc_pages_mb": 1400.0, "malloc_mapped_mb": 10.0,
    "pymalloc_system_mb": 120.0, "pymalloc_used_mb": 100.0, "arenas_in_all": 9, "settings": {},
    "arenas": [
        {"number": number, "system_mb": 200.0, "free_mb": 160.0, "pages_mb": 150.0, "large_mb": 2.0, "top_mb": 1.0,
         "pieces": 20_000}
        for number in range(9)
    ],
}  # fmt: skip
RESULTS = {"referrers": REFERRERS, "allocations": ALLOCATIONS, "heap_summary": HEAP_SUMMARY, "trim": TRIM}


def arrive(process: Process, recording: Recording, outcome: bytes, content_type: str = JSON) -> Recording:
    """Bring the outcome as the agent of the process does, and finish the recording with it."""
    host, pid, _start, nonce = process.key.rsplit(":", 3)
    who = ProcessInfo(
        host=host, pid=int(pid), started_at=process.started_at, nonce=nonce, service=process.service.name,
        program=process.program, census_method=process.census_method,
    )  # fmt: skip
    assert who.key == process.key
    measured = {"duration_s": 0.4, "cpu_ms": 120.0, "longest_pause_ms": 8.0, "rss_added_mb": 1.5}
    parts = split(recording.wire_id, outcome, content_type=content_type, measured=measured)
    reader.take([Report(process=who, sent_at=timezone.now(), lease_s=600, recordings=parts).encode()])
    progress.keep_up()
    recording.refresh_from_db()
    return recording


def bring(process: Process, recording: Recording, **changes: Any) -> Recording:
    """The usual result of its kind."""
    return arrive(process, recording, json.dumps({**RESULTS[recording.kind], **changes}).encode())


def store_recording(process: Process, kind: str = "referrers", **values: Any) -> Recording:
    """One that is done."""
    result = RESULTS.get(kind)
    made = {"state": "done", "result": result, "finished_at": timezone.now(), "options": {}, **values}
    if kind in ("referrers", "allocations"):
        made["options"] = {"type": QUOTE, **made["options"]}
    return Recording.objects.create(process=process, kind=kind, wire_id=secrets.token_hex(8), **made)


def capture() -> bytes:
    """A capture of memray, with something that is not freed, made here."""
    import memray

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "capture.bin")
        destination = memray.FileDestination(path)
        kept: list[bytearray] = []
        tracker = memray.Tracker(
            destination=destination, file_format=memray.FileFormat.AGGREGATED_ALLOCATIONS, trace_python_allocators=True
        )
        with tracker:
            leak_on_purpose(kept)
        return path.read_bytes()


def leak_on_purpose(kept: list[bytearray]) -> None:
    """Its name is looked for in what is rendered."""
    kept.extend(bytearray(10_000) for _ in range(50))
