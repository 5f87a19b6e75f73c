"""Notices the end of the other processes of this transport on this machine, and collects what they have left.

The two eldest watch. A process that gets the lock of a record knows that its owner has ended, and keeps the other
watcher away until the end was reported. If it dies before, the kernel gives the lock back and the other watcher does
it all once more: the server counts an end once.

The two next ones hold pidfds as well, so that they know how the others have ended when both watchers end with them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import time
from collections import deque
from collections.abc import Collection
from datetime import UTC, datetime

from memwatch.agent.flight import kernel_log, newcomers
from memwatch.agent.flight.others import MOST, Others
from memwatch.agent.parent import has_agent
from memwatch.records.flight import BECAME_ANOTHER, MAX_DEATHS, Death
from memwatch.sampling import oom
from memwatch.transport.flights import folder, layout
from memwatch.transport.private_folder import Folder
from memwatch.transport.wire import WireError

EVERY_S, SELDOM_S = 5.0, 20.0
"""How often a process looks that watches, and one that may have to, where nothing wakes it."""
SOONEST_S = 0.1
"""The time between two looks, whatever wakes it."""
NOTES_S = 2.0
"""For so long the hooks of a parent may note the status of its child."""
WATCHERS = 2
SHARE = 0.05
"""The most of a processor's time that looks may take when many processes start or end."""
MOST_OF_HEIR = 64
"""As :data:`MOST`, of a process that may have to watch."""
_LEFT_OVER_S = 60.0
_UNCLAIMED_S = 86_400.0
"""After so long the server does not ask for the record of another machine any more."""
_NO_RECORD = (errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.EISDIR, errno.EACCES, errno.EPERM)
"""A link, a pipe, a folder, or a file of somebody who has no business here."""


@dataclasses.dataclass(slots=True)
class _Ended:
    """A process whose lock this one has taken."""

    descriptor: int
    identity: folder.Identity
    noticed_at: datetime
    since: float
    """Monotonic seconds."""
    is_said: bool = False
    became_another: bool = False
    """It lives, as another program that has no agent, or one of its own."""


class Watcher:
    """Used by the agent's thread alone. Times are monotonic seconds."""

    def __init__(self, where: Folder, host: str) -> None:
        self.where = where
        self._host = host
        self.others = Others()
        self._unmet: dict[str, float] = {}
        """Of records whose owner ended before this process held a pidfd of it: when that was seen first."""
        self._soonest = 0.0
        """Before, nothing is worth another look."""
        self._ended: dict[str, _Ended] = {}
        self._waiting: deque[tuple[str, Death]] = deque()
        self.spoilt = 0
        """Files that were no records, and were removed."""
        self.watches = False

    @property
    def waiting(self) -> tuple[Death, ...]:
        """What the next report is to bring."""
        return tuple([death for _name, death in self._waiting][:MAX_DEATHS])

    def sent(self, many: int) -> None:
        """The first of them were reported: their files are not needed any more.

        They do not wait any longer, even where the folder cannot be opened: else they would be sent again and again.
        """
        names = [self._waiting.popleft()[0] for _ in range(min(many, len(self._waiting)))]
        with self.where.opened(folder.FLIGHTS) as opened:
            for name in names:
                self._remove(opened, name)

    def announce(self, own_name: str) -> None:
        """This process's record is there: let those that watch know at once."""
        with self.where.opened(folder.FLIGHTS) as opened:
            newcomers.announce(opened, own_name)

    def woken(self, now: float) -> float | None:
        """When to be called, where another process has started or ended; else ``None``."""
        return max(now, self._soonest) if self.others.have_moved() else None

    def step(self, own_name: str, now: float) -> float:
        """Look at all, where this process is one of the eldest. When to be called again."""
        began = time.monotonic()
        try:
            return self._step(own_name, now)
        finally:
            self._soonest = now + max(SOONEST_S, (time.monotonic() - began) / SHARE)

    def _step(self, own_name: str, now: float) -> float:
        with self.where.opened(folder.FLIGHTS) as opened:
            names = folder.names(opened)
            elder = self._elder(opened, names, own_name)
            if elder is None or elder >= newcomers.LISTENERS:
                self.others.listen_no_more(opened)
                self._let_go(names[: names.index(own_name)] if own_name in names else [])
                return now + SELDOM_S
            if self.others.listen(opened, self.where, own_name):
                names = folder.names(opened)
            self.others.most = MOST if elder < WATCHERS else MOST_OF_HEIR
            self.others.meet_newcomers(opened, names)
            if elder < WATCHERS:
                self._watch(opened, names, own_name, now)
            else:
                self._let_go(names)
                for name in names:
                    if name != own_name and name not in folder.held:
                        self.others.meet(opened, name)
        pending = any(not ended.is_said for ended in self._ended.values())
        return now + (min(EVERY_S, NOTES_S / 4) if pending else EVERY_S if self.watches else SELDOM_S)

    def _elder(self, opened: int, names: list[str], own_name: str) -> int | None:
        """How many that live are elder, as far as it matters; ``None``: this process has no record there."""
        if own_name not in names:
            return None
        elder = 0
        self.others.forget_records_but(names)
        for name in names[: names.index(own_name)]:
            if name in self._ended or not self._is_here(opened, name):
                continue
            with contextlib.suppress(OSError):
                descriptor = folder.take(opened, name)
                if descriptor is None:
                    elder += 1
                    self.others.meet(opened, name)  # who takes over knows how the watchers have ended
                else:
                    folder.give_back(name, descriptor)
            if elder == newcomers.LISTENERS:
                break
        return elder

    def _watch(self, opened: int, names: list[str], own_name: str, now: float) -> None:
        """Take the locks of those that have ended, and read what they have left."""
        if not self.watches:
            self.watches = True
            _tidy(opened)
        unmet: list[str] = []
        for name in names:
            if name != own_name and name not in folder.held:
                self._look(opened, name, now, unmet)
        for name in unmet:  # unless somebody takes it who knows more
            if not self.others.pidfds or now - self._unmet.setdefault(name, now) >= 2 * EVERY_S:
                self._look(opened, name, now)
        for gone in self.others.pidfds.keys() - set(names):
            self._forget(gone)
        for gone in self._unmet.keys() - set(names):
            del self._unmet[gone]
        for name, ended in list(self._ended.items()):
            self._collect(opened, name, ended, now)

    def _look(self, opened: int, name: str, now: float, unmet: list[str] | None = None) -> None:
        """Take the record where its owner has ended; ``unmet`` gets the name where no pidfd of it was held."""
        try:
            descriptor = folder.take(opened, name)
        except OSError as error:
            if error.errno in _NO_RECORD:
                self._spoilt(opened, name)
            return  # the other watcher was faster, or nothing can be opened now
        if descriptor is None:
            self.others.meet(opened, name)
            return
        if unmet is not None and not self.others.is_met(name):
            folder.give_back(name, descriptor)
            unmet.append(name)
            return
        ended = _Ended(descriptor, folder.identity_of(descriptor), datetime.now(UTC), now)
        try:
            recorded = layout.read(folder.content(descriptor))
        except (OSError, WireError):
            folder.give_back(name, descriptor)
            self._spoilt(opened, name)
            return
        ended.became_another = self.others.runs(recorded) and self._is_another_program(recorded, name, now)
        if recorded.flight.host != self._host or (self.others.runs(recorded) and not ended.became_another):
            # Of another machine with the same folder: the server asks for it. Or of one that has closed all its files.
            # Its time is the record's: what is written to a map in tmpfs leaves the time of the file as it was.
            old = abs(time.time() - recorded.flight.written_at.timestamp()) > _UNCLAIMED_S
            folder.give_back(name, descriptor)
            if old:
                self._spoilt(opened, name)
            return
        self._ended[name] = ended

    def _is_another_program(self, recorded: layout.Recorded, name: str, now: float) -> bool:
        """Whether the process that runs under its pid has been without an agent for a while, as after ``os.execv``."""
        if has_agent(recorded.flight.pid) and not self.others.has_successor(recorded, name):
            self._unmet.pop(name, None)
            return False
        return now - self._unmet.setdefault(name, now) >= NOTES_S

    def _is_here(self, opened: int, name: str) -> bool:
        """Whether the process runs on this machine: another one may share the folder."""
        if name in folder.held:
            return True
        recorded = self.others.recorded(opened, name)
        return recorded is not None and recorded.flight.host == self._host

    def _collect(self, opened: int, name: str, ended: _Ended, now: float) -> None:
        if ended.is_said:
            return
        if not folder.is_still(ended.descriptor, ended.identity):
            folder.give_back(name, self._ended.pop(name).descriptor, ended.identity)  # the lock is gone: take it again
            return
        status = self.others.status(name)
        if status is None and now - ended.since < NOTES_S and not ended.became_another:
            return
        try:
            recorded = layout.read(folder.content(ended.descriptor))
        except (OSError, WireError):
            self._spoilt(opened, name)
            return
        ended.is_said = True
        self._waiting.append((name, _death(recorded, status, ended)))

    def _spoilt(self, opened: int, name: str) -> None:
        self.spoilt += 1
        self._remove(opened, name)

    def _remove(self, opened: int, name: str) -> None:
        folder.remove(opened, name)
        self._forget(name)

    def _forget(self, name: str) -> None:
        self.others.forget(name)
        ended = self._ended.pop(name, None)
        if ended is not None:
            folder.give_back(name, ended.descriptor, ended.identity)

    def _let_go(self, known: Collection[str] = ()) -> None:
        """Others are elder. What was not reported is theirs, too. The pidfds of those that are ``known`` stay."""
        self.watches = False
        for name, ended in self._ended.items():
            folder.give_back(name, ended.descriptor, ended.identity)
        self._ended.clear()
        self.others.forget_all_but(known)
        self._waiting.clear()
        self._unmet.clear()

    def close(self) -> None:
        """Give up all that is open, also what was inherited in a forked child."""
        self.others.listen_no_more()
        self._let_go()


def _death(recorded: layout.Recorded, status: int | None, ended: _Ended) -> Death:
    flight = recorded.flight
    source = "" if status is None else "pidfd"
    if status is None and recorded.status is not None:
        status, source = recorded.status, "hook"
    source = BECAME_ANOTHER if ended.became_another else source
    counters = oom.counters(recorded.oom_file)
    killed = not ended.became_another and (status is None or status < 0)
    said = kernel_log.about(flight.pid, recorded.ticks) if killed else kernel_log.Said()
    return Death(
        key=flight.key,
        noticed_at=ended.noticed_at,
        status=status,
        status_from=source,
        oom_kills=None if counters is None else counters[0],
        oom_group_kills=None if counters is None else counters[1],
        kernel_line=said.line,
        kernel_log=said.is_whole,
        flight=flight,
    )


def _tidy(opened: int) -> None:
    """What is left of processes that were killed while they made a file, or whose record somebody else has removed."""
    found = os.listdir(opened)
    for name in found:
        if name.endswith(".flight.tmp"):
            with contextlib.suppress(OSError):
                if time.time() - os.stat(name, dir_fd=opened, follow_symlinks=False).st_mtime > _LEFT_OVER_S:
                    os.unlink(name, dir_fd=opened)
    for name in folder.sockets_without_record(found):
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=opened)
