"""Carries messages to channels: each channel in a thread of its own, each attempt with a time limit.

Python cannot end a thread that hangs in foreign code. So a channel that does not come back is left behind, its message
counts as not delivered, and in this process the channel gets nothing more until that call has ended: at most one thread
a channel is ever lost.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from django.db import connections

from memwatch.alerts.channels import Channel, Message
from memwatch.batches import batched

FAILURES = 3
"""After so many failures in a row a channel is left alone until the next run."""
_MAX_ERROR = 300

_LOOK_EVERY_S = 0.05

_threads: dict[tuple[int, str], threading.Thread] = {}
"""The last thread of each channel, by process id and channel."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """In seconds."""

    call_s: float
    """Seconds that one attempt may take."""
    round_s: float = 30.0
    """After which a channel begins no further attempt."""


@dataclasses.dataclass(frozen=True, slots=True)
class Parcel:
    """One message on its way."""

    id: int
    message: Message


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it."""

    id: int
    channel: str
    error: str | None
    """``None``: it arrived."""


_Events = queue.SimpleQueue["Outcome | _Round"]


class _Round:
    """One channel's parcels, carried one after the other in a thread."""

    def __init__(self, channel: Channel, parcels: Sequence[Parcel], limits: Limits, events: _Events) -> None:
        self.channel = channel
        self._parcels, self._limits, self._events = parcels, limits, events
        self._lock = threading.Lock()
        self._current: tuple[Sequence[Parcel], float] | None = None
        self._left = False

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="memwatch-channel", daemon=True)
        thread.start()
        return thread

    def leave_if_late(self) -> Sequence[Parcel]:
        """The parcels that have been under way for too long; nothing more is heard of the thread then."""
        with self._lock:
            if self._current is None or time.monotonic() - self._current[1] < self._limits.call_s:
                return ()
            self._left = True
            return self._current[0]

    def _run(self) -> None:
        try:
            self._carry()
        finally:
            connections.close_all()  # a callable of the site may have opened one in this thread
            self._events.put(self)

    def _carry(self) -> None:
        failures, begun = 0, time.monotonic()
        for batch in batched(self._parcels, self.channel.at_once):
            if failures >= FAILURES or time.monotonic() - begun > self._limits.round_s:
                return
            with self._lock:
                self._current = (batch, time.monotonic())
            error = self._attempt(batch)
            with self._lock:
                self._current = None
                if self._left:
                    return
            failures = 0 if error is None else failures + 1
            for parcel in batch:
                self._events.put(Outcome(parcel.id, self.channel.name, error))

    def _attempt(self, batch: Sequence[Parcel]) -> str | None:
        try:
            # A little less than we wait: the channel's own time limit says more than ours.
            self.channel.send([parcel.message for parcel in batch], timeout_s=self._limits.call_s * 0.9)
        except Exception as error:  # noqa: BLE001 - whatever a channel raises, the message has not arrived
            return f"{type(error).__name__}: {error}".splitlines()[0][:_MAX_ERROR]
        return None


def deliver(
    parcels: Mapping[str, Sequence[Parcel]], channels: Mapping[str, Channel], *, limits: Limits
) -> Iterator[Outcome]:
    """Carry each channel's parcels in their order; yields what became of each, as soon as it is known.

    A parcel whose turn did not come (its channel failed or hung before, or the time was over) has no outcome.
    """
    events: _Events = queue.SimpleQueue()
    under_way: set[_Round] = set()
    for name, items in parcels.items():
        place = (os.getpid(), name)
        if place in _threads and _threads[place].is_alive():
            yield Outcome(items[0].id, name, "the channel still hangs in an earlier call")
            continue
        started = _Round(channels[name], items, limits, events)
        under_way.add(started)
        _threads[place] = started.start()
    while under_way:
        with contextlib.suppress(queue.Empty):
            event = events.get(timeout=_LOOK_EVERY_S)
            if isinstance(event, Outcome):
                yield event
                continue
            under_way.discard(event)
        for started in tuple(under_way):
            late = started.leave_if_late()
            if late:
                under_way.discard(started)
            for parcel in late:
                yield Outcome(parcel.id, started.channel.name, f"no answer within {limits.call_s:g} s")
