"""The agent's side of flight records: its own, and those of processes that ended."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from memwatch.agent.config import AgentConfig
from memwatch.agent.config.values import OFF
from memwatch.agent.flight import ending
from memwatch.agent.flight.heap_rows import heap_rows
from memwatch.agent.flight.other_process import own_pid_space, started_ticks
from memwatch.agent.flight.recorder import Recorder
from memwatch.agent.flight.slots import JobSlots
from memwatch.agent.flight.watcher import Watcher
from memwatch.agent.work import meter
from memwatch.records import MemorySnapshot
from memwatch.records.flight import CRASH, MAX_GROWERS, TIME_LIMIT, Death
from memwatch.sampling import oom
from memwatch.sampling.identity import ProcessInfo, own_arguments
from memwatch.sampling.type_names import clean
from memwatch.transport import TransportUnavailable, Uplink
from memwatch.transport.flights import folder
from memwatch.transport.flights.checks import flight_bytes

logger = logging.getLogger("memwatch.agent")

AGAIN_S = 5.0
"""After a failure."""
Complain = Callable[..., None]
"""``(kind, format, *values)``: said once in a while."""


class FlightDesk:
    """Used by the agent's thread alone. Nothing that goes wrong here leaves it: it is said once, and all else works."""

    def __init__(self, config: AgentConfig, complain: Complain) -> None:
        self._complain = complain
        self._is_on = config.flight_recorder
        self._leaves_by_uplink = not config.transport.startswith("local:")
        self._left_stale = False
        self._is_cut_off = False
        self._transport = config.transport
        where = folder.folder_of(config.transport)
        # The meter may begin after the record was opened, which has to have room for what it will note.
        self._recorder = Recorder(where, meter.slots() or JobSlots(spans=config.traces != OFF))
        self._watcher = Watcher(where, clean(config.host) or "unknown")
        self._counters = oom.OomCounters()
        self._oom_file = ""
        self._snapshot: MemorySnapshot | None = None
        self._growers: tuple[tuple[str, int], ...] = ()
        self.oom: oom.Counters | None = None
        """Of the process's cgroup, at the last snapshot."""
        self.next_at = 0.0 if self._is_on else math.inf
        """When :meth:`step` wants to be called (monotonic seconds)."""

    @property
    def deaths(self) -> tuple[Death, ...]:
        """Ends of other processes that a report is to bring."""
        return self._watcher.waiting

    def sent(self, many: int) -> None:
        """The first of them were reported."""
        self._guarded(self._watcher.sent, many)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """They can be read when another process has started or ended."""
        return self._watcher.others.descriptors if self._is_on else ()

    def woken(self, now: float) -> None:
        """See whether it was one of them that ended the wait."""
        at = _guard(lambda: self._watcher.woken(now)) if self._is_on else None
        if at is not None:
            self.next_at = min(self.next_at, at)

    def soon(self, now: float) -> None:
        """The transport works: there is no need to wait."""
        if self._is_on:
            self.next_at = min(self.next_at, now)

    def step(self, process: ProcessInfo, now: float, *, away: bool, known: bool = True) -> None:
        """Open the record where there is none, and look at the others.

        ``away``: the transport is; ``known``: it has been used before. If it is a folder, it says itself what is wrong.
        """
        self.next_at = now + AGAIN_S
        if self._leaves_by_uplink or (known and not away):
            self._guarded(self._step, process, now)
        elif not away:
            self._guarded(self._step, process, now, unsaid=TransportUnavailable)

    def _step(self, process: ProcessInfo, now: float) -> None:
        if not self._recorder.is_open:
            self._open(process)
            self._guarded(self._watcher.announce, self._recorder.name)
        self._use_slots()
        self.next_at = self._watcher.step(self._recorder.name, now)

    def _open(self, process: ProcessInfo) -> None:
        # Of the user of now: a server may start as root and set another one after the fork.
        self._recorder.where = self._watcher.where = folder.folder_of(self._transport)
        self._oom_file = self._counters.file()
        _guard(ending.watch_gunicorn)
        name = folder.file_name(int(process.started_at.timestamp() * 1e9), process.pid, process.nonce)
        self._use_slots()
        self._recorder.open(
            name,
            {
                "service": process.service,
                "host": process.host,
                "pid": process.pid,
                "started_at": process.started_at.isoformat(),
                "nonce": process.nonce,
                "ticks": started_ticks("self"),
                "pid_space": own_pid_space(),
                "oom_file": self._oom_file,
                "time_limit_s": _guard(_server_limit_s),
                "heartbeat_s": _guard(_heartbeat_s),
            },
        )
        if self._snapshot is not None:
            self._write(self._snapshot)

    def _use_slots(self) -> None:
        """Those of the meter, which may have begun, or begun again, since."""
        slots = meter.slots()
        if slots is not None:
            self._recorder.use(slots)

    def snapshot(self, snapshot: MemorySnapshot, baseline: Mapping[str, int] | None) -> None:
        """Write down what a snapshot says; ``baseline``: the counts by type that it is compared with."""
        if self._is_on:
            self._snapshot = snapshot
            self._guarded(self._note, snapshot, baseline)

    def _note(self, snapshot: MemorySnapshot, baseline: Mapping[str, int] | None) -> None:
        if self._recorder.is_open and not self._recorder.is_whole():
            self._recorder.close()
            self.next_at = 0.0
        self._use_slots()
        if snapshot.top_objects is not None and baseline is not None:
            self._growers = _growers(snapshot.top_objects, baseline)
        self._write(snapshot)

    def _write(self, snapshot: MemorySnapshot) -> None:
        self.oom = oom.counters(self._oom_file)
        self._recorder.facts(snapshot, self._growers, self.oom)
        self._recorder.second(snapshot.rss_mb)
        self._left_stale = True

    def second(self, rss_mb: float) -> None:
        """Resident memory, once a second near the limit."""
        self._recorder.second(rss_mb)
        self._left_stale = True

    def summary(self, snapshot: MemorySnapshot) -> None:
        """Write down what the heap is made of."""
        self._guarded(self._recorder.summary, heap_rows(snapshot), datetime.now(UTC).isoformat())

    def leave(self, uplink: Uplink) -> None:
        """Where the server cannot read the file, let it have the record."""
        if self._left_stale and self._leaves_by_uplink and self._recorder.is_open:
            self._left_stale = False
            self._guarded(self._leave, uplink)

    def _leave(self, uplink: Uplink) -> None:
        record = self._recorder.read()
        if record is not None:
            uplink.leave(flight_bytes(record))

    def note_order(self, why: str) -> None:
        """It was ordered to end after its job, for this reason; empty: it stays after all."""
        self._guarded(self._recorder.ordered, why)
        self._left_stale = True

    def begin_to_leave(self) -> str:
        """The process ends in an orderly way: why, where that is known. It reports those that have ended before."""
        if self._watcher.watches:
            self._guarded(self._watcher.step, self._recorder.name, time.monotonic())
        self._is_cut_off, at_limit = _guard(self._recorder.cut_off) or (False, "")
        found = at_limit or _guard(ending.known) or ""
        self._guarded(self._recorder.leaving, found)
        return found

    def has_left(self, why: str, uplink: Uplink | None = None) -> None:
        """The goodbye was delivered: the record is news only where something was cut off, or an exception ends all."""
        if why not in (TIME_LIMIT, CRASH) and not self._is_cut_off and not ending.is_by_exception():
            self._recorder.close(remove=True)
            if uplink is not None and self._leaves_by_uplink and self._is_on:
                self._guarded(uplink.leave, b"")

    def stop_watching(self) -> None:
        """The others are watched by others from now on."""
        _guard(self._watcher.close)

    def close(self) -> None:
        """Give up all files, also in a forked child what it has inherited; the record stays."""
        _guard(self._watcher.close)
        _guard(self._recorder.close)

    def _guarded(self, act: Callable[..., Any], *values: Any, unsaid: type[Exception] | tuple[()] = ()) -> None:
        try:
            act(*values)
        except unsaid:
            return
        except (TransportUnavailable, OSError, ValueError) as error:
            self._complain("flight", "what a process was doing when it ended cannot be kept: %s", str(error))
        except Exception as error:  # noqa: BLE001 - the rest of the agent goes on
            self._complain("flight", "the flight recorder failed: %s: %s", type(error).__name__, str(error))


def _guard(act: Callable[[], Any]) -> Any:
    """What it returns; ``None`` where it fails."""
    try:
        return act()
    except Exception:  # noqa: BLE001 - whatever the host's objects raise
        return None


def _server_limit_s() -> float | None:
    """How long the server lets a request take.

    Of gunicorn's workers the sync one alone says nothing to its parent while it works.
    """
    if "uwsgi" not in sys.modules and not _is_sync():
        return None
    from memwatch.diagnosis import pace  # noqa: PLC0415 - only where there is such a server

    return pace.server_limit_s(own_arguments(), os.environ)


def _heartbeat_s() -> float | None:
    """After how long without a sign of life gunicorn aborts a worker that serves several requests at a time."""
    if "gunicorn.workers.base" not in sys.modules or _is_sync():
        return None
    from memwatch.diagnosis import pace  # noqa: PLC0415 - see above

    return None if pace.gunicorn_worker() is None else pace.server_limit_s(own_arguments(), os.environ)


def _is_sync() -> bool:
    sync = getattr(sys.modules.get("gunicorn.workers.sync"), "SyncWorker", None)
    if sync is None:
        return False
    from memwatch.diagnosis import pace  # noqa: PLC0415 - see above

    return issubclass(type(pace.gunicorn_worker()), sync)


def _growers(counts: Mapping[str, int], baseline: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    gained = [(name, count - baseline.get(name, 0)) for name, count in counts.items()]
    return tuple(sorted([row for row in gained if row[1] > 0], key=lambda row: -row[1])[:MAX_GROWERS])
