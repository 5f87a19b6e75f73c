"""Heap dumps that are stored as recordings."""

from __future__ import annotations

import contextlib
import io
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.utils import timezone

from memwatch.models import Process, Recording
from memwatch.services.recordings import progress, requests, results
from memwatch.transport.recordings import split_dump
from tests.heapdump.planted import PLANTED, Planted


def store_dump(process: Process, folder: Path, *leaks: str, **header: Any) -> Recording:
    """A recording that is done, of a heap with these leaks."""
    planted = Planted()
    for leak in leaks:
        PLANTED[leak][0](planted)
    return store_content(process, planted.write(folder / "planted.heap", **header).read_bytes())


def store_content(process: Process, content: bytes) -> Recording:
    """A recording that is done; the agent sent this."""
    recording = requests.request(process, "heap_dump")
    parts = split_dump(recording.wire_id, io.BytesIO(content), measured={})
    results.take([(process, part) for part in parts], timezone.now())
    progress.keep_up()
    recording.refresh_from_db()
    assert recording.state == "done", recording.error
    return recording


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk: what is written beyond this many bytes fails in the middle."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
