"""Does what a command asks for, and answers."""

from __future__ import annotations

import time
from collections.abc import Callable

from memwatch.agent.commands import CensusLimit
from memwatch.agent.outbox import Numbered
from memwatch.agent.recordings import RecordingDesk
from memwatch.agent.recycling.desk import RecyclingDesk
from memwatch.agent.samples import Samples
from memwatch.sampling import Sampler
from memwatch.transport.wire import Answer, Command


class Orders:
    """Used by the agent's thread alone, for commands that were admitted."""

    def __init__(
        self, desk: RecordingDesk, recycling: RecyclingDesk, samples: Samples, sampler: Callable[[], Sampler]
    ) -> None:
        self._desk = desk
        self._recycling = recycling
        self._samples = samples
        self._sampler = sampler
        self._limit = CensusLimit()

    def execute(self, command: Command) -> tuple[Answer, Numbered | None]:
        """Do it; the snapshot that was taken for it comes with the answer."""
        if command.name == "ping":
            return Answer(command=command.id, state="done"), None
        if command.name in ("record", "cancel_recording"):
            act = self._desk.record if command.name == "record" else self._desk.cancel
            state, detail = act(command.arguments)
            return Answer(command=command.id, state=state, detail=detail), None
        if command.name == "recycle":
            state, detail = self._recycling.order(command.arguments)
            return Answer(command=command.id, state=state, detail=detail), None
        now = time.monotonic()
        wait_s = self._limit.wait_s(now)
        if wait_s > 0 and command.name == "snapshot":
            detail = f"one census a second on command: ask again in {wait_s:.1f} s"
            return Answer(command=command.id, state="refused", detail=detail), None
        if wait_s > 0:
            taken = self._samples.latest  # a census of this second
        else:
            taken = self._samples.take(census=True)
            self._limit.taken(now)
        if taken is None:
            return Answer(command=command.id, state="failed", detail="sampling failed, see the process's log"), None
        if command.name == "reset_baseline":
            self._sampler().reset_baseline()
        return Answer(command=command.id, state="done", snapshot_seq=taken[0]), taken
