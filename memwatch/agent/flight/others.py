"""The other processes of a folder as this one knows them: what their records said, and pidfds that tell their ends."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Collection

from memwatch.agent.flight.newcomers import Newcomers
from memwatch.agent.flight.other_process import OtherProcess, own_pid_space, started_ticks
from memwatch.transport import gevent_compat
from memwatch.transport.flights import folder, layout
from memwatch.transport.private_folder import Folder
from memwatch.transport.wire import WireError

MOST = 256
"""Processes whose pidfds one holds: each takes a descriptor of the host."""


class Others:
    """By the names of the files of their records. Used by the agent's thread alone."""

    def __init__(self) -> None:
        self.most = MOST
        """As :data:`MOST`, of this process now."""
        self.pidfds: dict[str, OtherProcess | None] = {}
        """``None`` where there is none."""
        self._recorded: dict[str, layout.Recorded | None] = {}
        """What their files said when they were read first; ``None``: no record."""
        self._space = own_pid_space()
        self._newcomers = Newcomers()
        self._fired: set[int] = set()
        """Descriptors that have woken this process since its last look."""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """They can be read when a process has started or ended since the last look."""
        found = [other.descriptor for other in self.pidfds.values() if other is not None]
        return tuple({number for number in (*found, self._newcomers.descriptor) if number >= 0} - self._fired)

    def have_moved(self) -> bool:
        """Whether one of the descriptors can be read; true once of each until the next look."""
        poll = gevent_compat.new_poll()
        for number in self.descriptors:
            poll.register(number, select.POLLIN)
        ready = {number for number, _events in poll.poll(0)}
        self._fired |= ready
        return bool(ready)

    def listen(self, opened: int, where: Folder, own_name: str) -> bool:
        """Let processes that start say so. Whether that began now: one may have started just before.

        Where no socket can be made, they are seen at the next look.
        """
        with contextlib.suppress(OSError):
            return self._newcomers.listen(opened, where, own_name)
        return False

    def listen_no_more(self, opened: int | None = None) -> None:
        """Others are elder; ``opened``: the folder, where the socket is."""
        self._newcomers.close(opened)

    def meet_newcomers(self, opened: int, names: Collection[str]) -> None:
        """Keep the pidfds of those that have just started, also of one that has ended since."""
        self._fired.discard(self._newcomers.descriptor)
        for name, descriptor in self._newcomers.arrived():
            if descriptor < 0:
                continue
            if name not in names or name in folder.held or self.is_met(name) or len(self.pidfds) >= self.most:
                os.close(descriptor)
            elif (other := self._met(opened, name, descriptor)) is not None:
                self.pidfds[name] = other

    def meet(self, opened: int, name: str) -> None:
        """Hold a pidfd of a process that lives."""
        if name not in self.pidfds and len(self.pidfds) < self.most:
            self.pidfds[name] = self._met(opened, name)

    def is_met(self, name: str) -> bool:
        """Whether a pidfd of it is held."""
        return self.pidfds.get(name) is not None

    def status(self, name: str) -> int | None:
        """How it ended, where that is known."""
        other = self.pidfds.get(name)
        return None if other is None else other.status()

    def _met(self, opened: int, name: str, descriptor: int | None = None) -> OtherProcess | None:
        """A pidfd, if its pid means something here."""
        recorded = self.recorded(opened, name)
        if recorded is not None and recorded.pid_space == self._space and recorded.ticks:
            with contextlib.suppress(OSError):
                return OtherProcess(recorded.flight.pid, recorded.ticks, descriptor)
        elif descriptor is not None:
            os.close(descriptor)
        return None

    def recorded(self, opened: int, name: str) -> layout.Recorded | None:
        """What a file says that this process does not hold, read once."""
        if name not in self._recorded:
            self._recorded[name] = None
            with contextlib.suppress(OSError, WireError):
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=opened)
                try:
                    self._recorded[name] = layout.read(folder.content(descriptor))
                finally:
                    os.close(descriptor)
        return self._recorded[name]

    def runs(self, recorded: layout.Recorded) -> bool:
        """Whether the very process has not ended, as far as its pid says so."""
        here = recorded.pid_space == self._space and recorded.ticks > 0
        return here and started_ticks(recorded.flight.pid) == recorded.ticks

    def has_successor(self, recorded: layout.Recorded, name: str) -> bool:
        """Whether the same process has another record: its agent is that of another program.

        Which is younger the names do not say: they begin with the start of the process, which is the same.
        """
        same = (recorded.flight.pid, recorded.ticks, recorded.pid_space)
        return any(
            other != name and found is not None and (found.flight.pid, found.ticks, found.pid_space) == same
            for other, found in self._recorded.items()
        )

    def forget(self, name: str) -> None:
        """It has ended, and all is said."""
        self._recorded.pop(name, None)
        other = self.pidfds.pop(name, None)
        if other is not None:
            self._fired.discard(other.descriptor)
            other.close()

    def forget_all_but(self, names: Collection[str] = ()) -> None:
        """Their files are gone, or somebody else holds their pidfds."""
        for name in self.pidfds.keys() - set(names):
            self.forget(name)

    def forget_records_but(self, names: Collection[str]) -> None:
        """Their files are gone."""
        for name in self._recorded.keys() - set(names):
            del self._recorded[name]
