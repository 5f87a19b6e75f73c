"""This process's flight record: a mapped file that stays when the process is killed."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import stat
import time
from collections.abc import Mapping, Sequence
from typing import Any

from memwatch.agent.flight.slots import JobSlots, is_at_limit
from memwatch.records import MemorySnapshot
from memwatch.records.flight import ENDINGS, LEAVING, MAX_GROWERS, MAX_SECONDS, STATES, TIME_LIMIT, Flight
from memwatch.records.work import COMMAND
from memwatch.sampling.oom import Counters
from memwatch.transport.flights import folder, layout, memory
from memwatch.transport.private_folder import Folder

_NAME_LENGTH = 90
"""Of a type; a longer one is cut."""


class Recorder:
    """Used by the agent's thread alone; jobs are written by all threads, through their :class:`JobSlots`."""

    def __init__(self, where: Folder, slots: JobSlots) -> None:
        self.name = ""
        """Of the file, while there is one."""
        self.slots = slots
        self.where = where
        self._descriptor = -1
        self._identity = (0, 0)
        self._map: mmap.mmap | None = None
        self._facts_written = self._seconds_written = 0
        self._pid = os.getpid()

    def open(self, name: str, who: Mapping[str, Any]) -> None:
        """Make the file, locked, and move the jobs to it.

        Raises :class:`memwatch.transport.TransportUnavailable` where the folder cannot be used, :class:`OSError` where
        there are no locks, :class:`ValueError` for a host or service whose name is too long.
        """
        self.close()
        text = layout.part(who, layout.WHO_BYTES)
        with self.where.opened(folder.FLIGHTS) as opened:
            beside = f".{name}.tmp"
            descriptor = os.open(
                beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=opened
            )
            try:
                os.fchmod(descriptor, self.where.file_mode)
                os.posix_fallocate(descriptor, 0, self.slots.size)  # else a full disk kills who writes to the map
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                mapped = mmap.mmap(descriptor, self.slots.size)
                mapped[: len(layout.MAGIC)] = layout.MAGIC
                mapped[layout.WHO_AT : layout.WHO_AT + len(text)] = text
                os.rename(beside, name, src_dir_fd=opened, dst_dir_fd=opened)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(beside, dir_fd=opened)
                os.close(descriptor)
                raise
        self._descriptor, self._identity = descriptor, folder.identity_of(descriptor)
        self.name, self._map = name, mapped
        folder.held.add(name)
        self.slots.move_to(mapped)

    @property
    def is_open(self) -> bool:
        """Whether there is a file."""
        return self._map is not None

    def is_whole(self) -> bool:
        """Whether the lock is still ours and the file in its place: a host may close all it does not know, or tidy."""
        try:
            if self._map is None or not folder.is_still(self._descriptor, self._identity):
                return False
            with self.where.opened(folder.FLIGHTS) as opened:
                status = os.stat(self.name, dir_fd=opened, follow_symlinks=False)
            return (status.st_dev, status.st_ino) == self._identity and stat.S_ISREG(status.st_mode)
        except Exception:  # noqa: BLE001 - whatever has become of the folder
            return False

    def close(self, *, remove: bool = False) -> None:
        """Give the file up, and delete it where it is no longer wanted. The jobs stay in memory."""
        self.slots.move_to(bytearray(self.slots.size))
        self._map = None  # never closed by hand: another thread may be writing to it
        name, self.name = self.name, ""
        if not name:
            return
        folder.held.discard(name)
        if remove and os.getpid() == self._pid:
            with contextlib.suppress(Exception), self.where.opened(folder.FLIGHTS) as opened:
                folder.remove(opened, name)
            memory.remove_empty(self.where.path, folder.FLIGHTS)
        if folder.is_still(self._descriptor, self._identity):  # else the number is another file's by now
            with contextlib.suppress(OSError):
                os.close(self._descriptor)

    def use(self, slots: JobSlots) -> None:
        """The jobs are measured by another meter from now on."""
        if slots is not self.slots:
            before, self.slots = self.slots, slots
            if self._map is not None:
                before.move_to(bytearray(before.size))
                slots.move_to(self._map)

    def facts(self, snapshot: MemorySnapshot, growers: Sequence[tuple[str, int]], oom: Counters | None) -> None:
        """What a snapshot says."""
        self.slots.set_clock()
        facts = {
            "at": time.time(),
            "rss_mb": _rounded(snapshot.rss_mb),
            "limit_mb": _rounded(snapshot.heap_size_mb),
            "limit_source": snapshot.heap_limit_source,
            "container_mb": _rounded(snapshot.cgroup_used_mb),
            "container_limit_mb": _rounded(snapshot.cgroup_limit_mb),
            "oom_kills": None if oom is None else oom[0],
            "oom_group_kills": None if oom is None else oom[1],
        }
        rows = [[_cut(name), gained] for name, gained in growers[:MAX_GROWERS]]
        self._put(
            layout.FACTS_AT + self._facts_written % 2 * layout.FACTS_BYTES, layout.FACTS_BYTES, facts, "growers", rows
        )
        self._facts_written += 1

    def summary(self, rows: Sequence[tuple[str, int, float | None]], at: str) -> None:
        """The heap near the limit, the largest type first."""
        self._put(
            layout.SUMMARY_AT, layout.SUMMARY_BYTES, {"at": at}, "rows", [[_cut(name), *rest] for name, *rest in rows]
        )

    def _put(self, at: int, room: int, value: dict[str, Any], name: str, rows: list[list[Any]]) -> None:
        """As many of the rows as there is room for."""
        while self._map is not None:
            try:
                text = layout.part({**value, name: rows}, room)
            except ValueError:
                if not rows:
                    return
                rows = rows[:-1]
            else:
                self._map[at : at + len(text)] = text
                return

    def second(self, rss_mb: float | None) -> None:
        """Resident memory now."""
        if self._map is not None and rss_mb is not None:
            place = self._seconds_written % MAX_SECONDS
            layout.SECOND.pack_into(self._map, layout.RSS_AT + place * layout.SECOND.size, time.time(), rss_mb)
            self._seconds_written += 1

    def ordered(self, ending: str) -> None:
        """The process is to end after its job, for this reason; empty: no longer."""
        if self._map is not None and os.getpid() == self._pid:
            self._map[layout.ENDING_AT] = 1 + ENDINGS.index(ending) if ending in ENDINGS else 0

    def leaving(self, ending: str) -> None:
        """The process ends in an orderly way."""
        if self._map is not None and os.getpid() == self._pid:
            if ending in ENDINGS:
                self._map[layout.ENDING_AT] = 1 + ENDINGS.index(ending)
            self._map[layout.STATE_AT] = STATES.index(LEAVING)

    def cut_off(self) -> tuple[bool, str]:
        """Whether the process ends amid requests or tasks; ``time_limit`` where one of them has run into its limit."""
        record = self.read()
        jobs = [] if record is None else [job for job in record.running if job.kind != COMMAND]
        at_limit = any(is_at_limit(time.time() - job.began, job.limit_s) for job in jobs)
        return bool(jobs), TIME_LIMIT if at_limit else ""

    def read(self) -> Flight | None:
        """What it says now. Raises :class:`memwatch.transport.wire.WireError` only where somebody else has written."""
        return None if self._map is None else layout.read(self._map[:]).flight


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _cut(name: str) -> str:
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…"
