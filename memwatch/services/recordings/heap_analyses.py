"""What heap dumps say: computed once by a process of its own, and kept beside the dump."""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.utils import timezone

from memwatch.heapdump import results
from memwatch.models import Leak, Recording, RecordingKind
from memwatch.services import ActionRefused, locking
from memwatch.services.recordings import heap_dumps, storage

TIMEOUT_S = 25.0
"""Below the patience of common web servers: 30 seconds."""
ANALYSED = "analysis_s"
"""Among what a recording has measured: seconds; there once the analysis was tried."""
MAX_ANALYSIS_BYTES = 64 * 1024 * 1024
_CHILD = Path(__file__).with_name("analyse_heap.py")
IN_WORKER_S = 240.0
"""No request waits for it in the worker."""
WAITING_FOR = timedelta(days=1)
"""Dumps that are older are analysed when somebody asks."""
MOST_TYPES = 20
"""Leaking types whose paths an analysis looks for."""
log = logging.getLogger("memwatch")
_ELSEWHERE = "download the dump, and run memwatch heap report FILE"


def unable() -> str:
    """Why no dump can be analysed here, as a sentence; empty where one can."""
    if importlib.util.find_spec("numpy") is None:
        return 'numpy is not installed here: install "memwatch[heapdump]" beside the admin and in the worker'
    return ""


class BeingAnalysed(ActionRefused):
    """Somebody else analyses the dump at this moment."""


def analysis(recording: Recording, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """For :mod:`memwatch.heapdump.results`.

    Raises :class:`ActionRefused` where it cannot be made (now), and :class:`storage.OutcomeMissing`.
    """
    with made(recording, "analysis", timeout_s) as file:
        found = _read(file)
    if found is not None:
        return found
    storage.storage().delete(storage.rendered_name(recording, "analysis"))
    raise ActionRefused("the kept analysis is of another version of memwatch: ask again, and it is made once more")


def kept(recording: Recording) -> dict[str, Any] | None:
    """The analysis as it is kept; ``None`` where there is none, or none that can be read here. Quick."""
    file = _known(storage.rendered_name(recording, "analysis"))
    if file is None:
        return None
    with file:
        try:
            return _read(file)
        except ActionRefused:
            return None


def _read(file: File) -> dict[str, Any] | None:  # type: ignore[type-arg]
    """``None`` for an analysis of another version."""
    content = file.read(MAX_ANALYSIS_BYTES + 1)
    if len(content) > MAX_ANALYSIS_BYTES:
        raise ActionRefused(f"the analysis is too large to be shown: {_ELSEWHERE}")
    try:
        found: dict[str, Any] = json.loads(content)
        return found if found["version"] == results.VERSION else None
    except (ValueError, TypeError, KeyError):
        return None


def made(recording: Recording, form: str, timeout_s: float = TIMEOUT_S) -> File:  # type: ignore[type-arg]
    """``analysis``, ``html``, ``csv`` or ``heapsnapshot``, to be read and closed; from the storage if it is there.

    Raises as :func:`analysis` does.
    """
    if recording.kind != RecordingKind.HEAP_DUMP:
        raise storage.OutcomeMissing("it is no heap dump")
    name = storage.rendered_name(recording, form)
    known = _known(name)
    if known is not None:
        return known
    if reason := unable():
        raise ActionRefused(reason)
    with locking.single_flight(f"analyse {recording.wire_id} {form}", timeout_s + 5) as ours:
        if not ours:
            raise BeingAnalysed("the heap dump is being analysed just now: try again in a few seconds")
        try:
            with (
                tempfile.TemporaryDirectory(prefix="memwatch-heap-") as folder,
                _run(recording, form, Path(folder), timeout_s).open("rb") as file,
            ):
                name = storage.replace(name, File(file))
        except OSError as error:
            raise ActionRefused(f"the analysis cannot be made or stored: {error}") from None
    return storage.storage().open(name)


def analyse_next(now: datetime | None = None) -> bool:
    """Analyse the oldest new dump before anybody asks; whether there was one. Each is tried once."""
    since = (now or timezone.now()) - WAITING_FOR
    done = Recording.objects.filter(kind=RecordingKind.HEAP_DUMP, state=Recording.State.DONE, finished_at__gte=since)
    recording = done.exclude(measured__has_key=ANALYSED).order_by("pk").first()
    if recording is None or unable():
        return False
    began = time.monotonic()
    try:
        made(recording, "analysis", IN_WORKER_S).close()
    except BeingAnalysed:
        return False
    except (ActionRefused, storage.OutcomeMissing) as error:
        log.warning("memwatch: %s was not analysed: %s", recording, error)
    recording.measured = {**recording.measured, ANALYSED: round(time.monotonic() - began, 2)}
    recording.save(update_fields=["measured"])
    return True


def _known(name: str) -> File | None:  # type: ignore[type-arg]
    try:
        return storage.storage().open(name)
    except OSError:
        return None


def _run(recording: Recording, form: str, folder: Path, timeout_s: float) -> Path:
    source, target = folder / "dump.heap", folder / f"made.{form}"
    with heap_dumps.opened(recording) as dump, source.open("wb") as copy:
        shutil.copyfileobj(dump, copy)
    try:
        done = subprocess.run(  # noqa: S603 - our own script, under limits
            [sys.executable, "-I", str(_CHILD), form, str(source), str(target), *_leaking_types(recording)],
            cwd=folder,
            env={"HOME": str(folder), "PATH": "", "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ActionRefused(f"the analysis took longer than {timeout_s:.0f} seconds: {_ELSEWHERE}") from None
    if done.returncode != 0 or not target.exists():
        said = done.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
        reason = (said or ["no reason given"])[-1].removeprefix("memwatch.heapdump.format.HeapDumpError: ")
        raise ActionRefused(f"the heap dump cannot be analysed: {reason[:200]}")
    return target


def _leaking_types(recording: Recording) -> list[str]:
    """Those of the service, the newest first: their leaks link to the analysis."""
    leaks = Leak.objects.unresolved().filter(service=recording.process.service_id, kind=Leak.Kind.OBJECTS)
    names = leaks.order_by("-pk").values_list("object_type", flat=True)[: 5 * MOST_TYPES]
    return [name for name in dict.fromkeys(names) if name and "\0" not in name][:MOST_TYPES]
