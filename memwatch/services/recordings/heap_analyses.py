"""What heap dumps say: computed once by a process of its own, and kept beside the dump."""

from __future__ import annotations

import importlib.util
import json
import logging
from datetime import datetime, timedelta
from typing import Any

from django.core.files.base import File
from django.utils import timezone

from memwatch.heapdump import results
from memwatch.models import Leak, Lease, Recording, RecordingKind
from memwatch.services import ActionRefused, audit, locking
from memwatch.services.recordings import heap_dumps, heap_runs, storage

TIMEOUT_S = 25.0
"""Below the patience of common web servers: 30 seconds."""
ANALYSED = "analysis_s"
"""Among what a recording has measured: seconds; there once the analysis was tried."""
MAX_ANALYSIS_BYTES = 64 * 1024 * 1024
IN_WORKER_S = 5.0
"""A worker waits so long, then looks again at its next turn: other tasks get their turn in between."""
HELD_S = 120.0
"""Others leave an analysis alone so long after somebody has last looked at it where it runs."""
COMMITTED_S = 60.0
"""By then others see the lease of a run, also where a request is one transaction."""
WAITING_FOR = timedelta(days=1)
"""Dumps that are older are analysed when somebody asks."""
MOST_TYPES = 20
"""Leaking types whose paths an analysis looks for."""
MOST_RUNS = 2
"""At a time on a machine: each may take much of its memory."""
log = logging.getLogger("memwatch")
_ELSEWHERE = "download the dump, and run memwatch heap report FILE"


def unable() -> str:
    """Why no dump can be analysed here, as a sentence; empty where one can."""
    if importlib.util.find_spec("numpy") is None:
        return 'numpy is not installed here: install "memwatch[heapdump]" beside the admin and in the worker'
    return ""


class BeingAnalysed(ActionRefused):
    """The analysis goes on; ``percent`` is how far it is, where it runs on this machine."""

    def __init__(self, percent: int | None = None) -> None:
        far = "" if percent is None else f" ({percent} %)"
        super().__init__(f"the heap dump is being analysed just now{far}: try again in a few seconds")
        self.percent = percent


class TooManyAnalyses(ActionRefused):
    """Of other dumps, on this machine."""

    def __init__(self) -> None:
        super().__init__(f"{MOST_RUNS} heap dumps are being analysed on this machine: try again in a few minutes")


def analysis(recording: Recording, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """For :mod:`memwatch.heapdump.results`.

    Raises :class:`BeingAnalysed` where it takes longer, :class:`TooManyAnalyses`, :class:`ActionRefused` where it
    cannot be made, and :class:`storage.OutcomeMissing`.
    """
    found = _made(recording, timeout_s)
    if found is None:  # of another version of memwatch
        storage.storage().delete(storage.rendered_name(recording, "analysis"))
        found = _made(recording, timeout_s)
    if found is None:
        raise ActionRefused(f"the analysis is not one of this version of memwatch: {_ELSEWHERE}")
    return found


def _made(recording: Recording, timeout_s: float) -> dict[str, Any] | None:
    with made(recording, "analysis", timeout_s) as file:
        return _read(file)


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

    Raises as :func:`analysis` does. What takes longer goes on, and is there when it is asked for again.
    """
    if recording.kind != RecordingKind.HEAP_DUMP:
        raise storage.OutcomeMissing("it is no heap dump")
    known = _known(storage.rendered_name(recording, form))
    if known is not None:
        return known
    if reason := unable():
        raise ActionRefused(reason)
    run = _current(recording, form) or _begin(recording, form)
    if not run.wait(timeout_s):
        locking.extend(_lease(recording, form), run.name, HELD_S)
        raise BeingAnalysed(run.percent())
    return _taken(recording, form, run)


def cancel(recording: Recording, *, by: Any) -> None:
    """End what is being made of the dump; the worker does not begin again by itself."""
    leases = Lease.objects.filter(name__startswith=_lease(recording, "")).exclude(holder="")
    runs = [run for run in heap_runs.runs() if run.name.startswith(f"{heap_runs.PREFIX}{recording.wire_id}.")]
    if not leases.delete()[0] and not runs:
        raise ActionRefused("the heap dump is not being analysed")
    for run in runs:
        run.remove()
    _mark(recording, 0.0)
    audit.record(by, recording, "Cancelled the analysis.")


def analyse_next(now: datetime | None = None) -> bool:
    """Analyse the oldest new dump before anybody asks; whether one is done with. Each is tried once."""
    _end_cancelled()
    since = (now or timezone.now()) - WAITING_FOR
    done = Recording.objects.filter(kind=RecordingKind.HEAP_DUMP, state=Recording.State.DONE, finished_at__gte=since)
    recording = done.exclude(measured__has_key=ANALYSED).order_by("pk").first()
    if recording is None or unable():
        return False
    try:
        made(recording, "analysis", IN_WORKER_S).close()
    except (BeingAnalysed, TooManyAnalyses):
        return False
    except (ActionRefused, storage.OutcomeMissing) as error:
        log.warning("memwatch: %s was not analysed: %s", recording, error)
    if ANALYSED not in recording.measured:
        _mark(recording, 0.0)
    return True


def _current(recording: Recording, form: str) -> heap_runs.Run | None:
    """The run of this machine; without one whose worker was killed before its process began."""
    run = heap_runs.of(recording.wire_id, form)
    if run is not None and run.is_running() and _is_given_up(run):
        run.remove()
        return None
    if run is None or run.is_running() or run.has_begun():
        return run
    with run.claimed() as ours:
        if ours:
            locking.drop(_lease(recording, form), run.name)
    return None


def _begin(recording: Recording, form: str) -> heap_runs.Run:
    heap_runs.sweep()
    if sum(run.is_running() for run in heap_runs.runs()) >= MOST_RUNS:
        raise TooManyAnalyses
    lease, name = _lease(recording, form), heap_runs.new_name(recording.wire_id, form)
    if not locking.take(lease, name, timezone.now(), HELD_S):
        raise BeingAnalysed
    try:
        with heap_dumps.opened(recording) as dump:
            return heap_runs.start(dump, name, form, _leaking_types(recording))
    except OSError as error:
        locking.drop(lease, name)
        raise ActionRefused(f"the analysis cannot be made: {error}") from None
    except BaseException:
        locking.drop(lease, name)
        raise


def _taken(recording: Recording, form: str, run: heap_runs.Run) -> File:  # type: ignore[type-arg]
    """What a run that has ended has made."""
    name = storage.rendered_name(recording, form)
    seconds = run.seconds()
    with run.claimed() as ours:
        if not ours:
            known = _known(name)
            if known is not None:
                return known
            raise BeingAnalysed
        locking.drop(_lease(recording, form), run.name)
        if not run.outcome.exists():
            raise ActionRefused(f"the heap dump cannot be analysed: {run.reason()}")
        try:
            with run.outcome.open("rb") as file:
                name = storage.replace(name, File(file))
        except OSError as error:
            raise ActionRefused(f"the analysis cannot be stored: {error}") from None
    if form == "analysis":
        _mark(recording, seconds)
    return storage.storage().open(name)


def _end_cancelled() -> None:
    """End the runs of this machine that somebody has cancelled on another one, or that another one has taken over."""
    heap_runs.sweep()
    for run in heap_runs.runs():
        if run.is_running() and _is_given_up(run):
            run.remove()


def _is_given_up(run: heap_runs.Run) -> bool:
    return run.seconds() > COMMITTED_S and not Lease.objects.filter(holder=run.name).exists()


def _lease(recording: Recording, form: str) -> str:
    return f"analyse {recording.wire_id} {form}"


def _mark(recording: Recording, seconds: float) -> None:
    recording.measured = {**recording.measured, ANALYSED: round(seconds, 2)}
    recording.save(update_fields=["measured"])


def _known(name: str) -> File | None:  # type: ignore[type-arg]
    try:
        return storage.storage().open(name)
    except OSError:
        return None


def _leaking_types(recording: Recording) -> list[str]:
    """Those of the service, the newest first: their leaks link to the analysis."""
    leaks = Leak.objects.unresolved().filter(service=recording.process.service_id, kind=Leak.Kind.OBJECTS)
    names = leaks.order_by("-pk").values_list("object_type", flat=True)[: 5 * MOST_TYPES]
    return [name for name in dict.fromkeys(names) if name and "\0" not in name][:MOST_TYPES]
