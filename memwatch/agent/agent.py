"""The agent: samples its process on a timetable and on command, and hands reports to the transport."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from memwatch.agent.circumstances import Description, circumstances
from memwatch.agent.commands import Gate, Spokesman
from memwatch.agent.commands.orders import Orders
from memwatch.agent.config import AgentConfig
from memwatch.agent.distributions import DistributionsWatch
from memwatch.agent.flight.desk import FlightDesk
from memwatch.agent.outbox import Batch, Numbered, Outbox
from memwatch.agent.parent import ParentWatch
from memwatch.agent.recordings import RecordingDesk
from memwatch.agent.recycling.desk import RecyclingDesk
from memwatch.agent.samples import Samples, make_sampler
from memwatch.agent.scheduling import Backoff, Timetable
from memwatch.agent.surroundings import SurroundingsWatch
from memwatch.agent.thread import NativeThread
from memwatch.agent.work import meter
from memwatch.records.flight import Death
from memwatch.sampling import Sampler
from memwatch.sampling.identity import ProcessInfo
from memwatch.sampling.walk import stop_walk
from memwatch.transport import Incoming, TransportUnavailable, Uplink, digests, gevent_compat, open_uplink
from memwatch.transport.wire import Answer, RecordingPart, Report, WireError

logger = logging.getLogger("memwatch.agent")

_AFTER_TROUBLE_S = 5.0


class Agent:
    """One per process; made by :func:`memwatch.agent.start`."""

    def __init__(self, config: AgentConfig, *, start_delay_s: float = 1.0, forked_from: int | None = None) -> None:
        self.config = config
        self.pid = os.getpid()
        self._begin_at = time.monotonic() + start_delay_s
        nonce = digests.token_hex(8)
        self._chance = random.Random(nonce)  # noqa: S311 - the host's own sequence is left alone
        self._making = gevent_compat.new_lock()
        self._sampler: Sampler | None = None
        self._description = Description(config, nonce)
        self._timetable: Timetable | None = None
        self._backoff = Backoff(chance=self._chance)
        self._desk = RecordingDesk(
            lambda: circumstances(config, self.process, self.sampler, self._samples, self.thread)
        )
        self._flight = FlightDesk(config, self._complain)
        self._samples = Samples(
            lambda: self.sampler, self._desk.discount, self._flight, self._complain, heap_limit_mb=config.heap_limit_mb
        )
        self._outbox = Outbox(self._encode, buffer_size=config.buffer_size, parts=self._desk.parts, deaths=self._flight)
        self._gate = Gate(config.command_key, *config.command_key_previous)
        self._recycling = RecyclingDesk(self._flight.note_order)
        self._orders = Orders(self._desk, self._recycling, self._samples, lambda: self.sampler)
        self._spokesman = Spokesman()
        self._parent = ParentWatch(agent_in=forked_from)
        self._surroundings = SurroundingsWatch()
        self._distributions = DistributionsWatch()
        self._uplink: Uplink | None = None
        self._away = False
        self._reported = False
        self._ending = ""
        self.thread = NativeThread(self._work, wake=self._wake)

    @property
    def sampler(self) -> Sampler:
        """The process's one sampler; others may use it too."""
        with self._making:
            if self._sampler is None:
                self._sampler = make_sampler(self.config, self.thread)
            return self._sampler

    @property
    def process(self) -> ProcessInfo:
        """Who this process is, as its reports say."""
        with self._making:
            return self._description.current()

    @property
    def lease_s(self) -> float:
        """Seconds without a report after which the process may be taken for dead."""
        return max(15.0, 3 * self.config.snapshot_interval + 20.0)

    def _wake(self) -> None:
        if self.thread.leaving:
            stop_walk()  # also the one of a profiler in this process: its snapshot then comes without a census
        uplink = self._uplink
        if uplink is not None:
            uplink.wake()

    # In the agent's thread:

    def _work(self) -> None:
        while not self.thread.leaving:
            try:
                self._step()
            except TransportUnavailable as away:
                self._lose_transport(away)
            except Exception as error:  # noqa: BLE001 - nothing of the agent's may reach the host
                self._complain("step", "the agent failed (%s: %s) and goes on", type(error).__name__, str(error))
                self._outbox.keep_fresh()
                self.thread.sleep(_AFTER_TROUBLE_S)
        if self.thread.stopping:
            self._leave()

    def _step(self) -> None:
        now = time.monotonic()
        if now < self._begin_at:
            self.thread.sleep(self._begin_at - now)
            return
        if os.getpid() != self.pid:  # revived by a fork that memwatch did not see
            self.thread.stopping = True
            return
        if self._timetable is None:
            self._timetable = Timetable(self.config.snapshot_interval, now=now, chance=self._chance)
        if self._uplink is None and self._backoff.ready(now):
            self._uplink = open_uplink(self.config.transport, self.process.key)
        if self._timetable.due(now):
            self._timetable.taken(now)
            self._sample_on_time()
        if time.monotonic() >= self._desk.next_at:
            self._desk.step()
        if time.monotonic() >= self._samples.near_limit.next_at:
            self._take(self._samples.watch_limit())
        if time.monotonic() >= self._recycling.next_at:
            self._recycling.step()
        if time.monotonic() >= self._flight.next_at:
            self._flight.step(self.process, time.monotonic(), away=self._away, known=self._reported)
        if self._uplink is not None:
            self._deliver(self._uplink)
        if not self.thread.leaving:
            self._wait(self._timetable)

    def _wait(self, timetable: Timetable) -> None:
        now = time.monotonic()
        watched = (self._desk, self._recycling, self._samples.near_limit, self._flight)
        until = min(timetable.next_at, *(desk.next_at for desk in watched))
        if self._uplink is None:
            self.thread.sleep(min(until, self._backoff.retry_at) - now)
            return
        with self._with_a_slow_transport():
            incoming = self._uplink.receive(max(0.0, until - now), also=self._flight.descriptors)
        if incoming is not None:
            self._obey(self._uplink, incoming)
        elif time.monotonic() < until:
            self._flight.woken(time.monotonic())

    def _sample_on_time(self) -> None:
        self._outbox.report_due = True
        with contextlib.suppress(Exception):
            self._outbox.outside = self._parent.look()
        with contextlib.suppress(Exception):
            self._outbox.surroundings = self._surroundings.look()
        with contextlib.suppress(Exception):
            self._outbox.inventory = self._distributions.look() or self._outbox.inventory
        self._take(self._samples.take(census=None))

    def _take(self, taken: Numbered | None) -> None:
        if taken is not None:
            self._outbox.take(taken)

    def _deliver(self, uplink: Uplink) -> None:
        def send(payload: bytes) -> None:
            with self._with_a_slow_transport():
                uplink.send(payload)
            self._sent()

        self._outbox.deliver(send, leaving=lambda: self.thread.leaving)
        self._flight.leave(uplink)

    def _sent(self) -> None:
        if not self._reported:
            self._reported = True
            self._flight.soon(time.monotonic())
        self._backoff.succeeded()
        if self._away:
            self._away = False
            logger.info("memwatch: the transport is back; %d snapshots were dropped so far", self._outbox.dropped)

    @contextlib.contextmanager
    def _with_a_slow_transport(self) -> Iterator[None]:
        """One that was away may take seconds; so long the collector must not stand still."""
        if self._away:
            self.thread.collector.end()
        try:
            yield
        finally:
            self.thread.collector.begin()

    def _encode(
        self,
        snapshots: Batch = (),
        answers: tuple[Answer, ...] = (),
        *,
        recordings: tuple[RecordingPart, ...] = (),
        deaths: tuple[Death, ...] = (),
        goodbye: bool = False,
    ) -> bytes | None:
        inventory = self._outbox.inventory
        try:
            return Report(
                process=self.process,
                sent_at=datetime.now(UTC),
                lease_s=self.lease_s,
                snapshots=snapshots,
                answers=answers,
                outside=self._outbox.outside,
                surroundings=self._outbox.surroundings,
                distributions=None if inventory is None else inventory.distributions or None,
                packages=None if inventory is None else inventory.packages or None,
                recordings=recordings,
                dropped=self._outbox.dropped,
                failures=self._samples.failures,
                refused_commands=self._gate.refused,
                goodbye=goodbye,
                ending=self._ending if goodbye else "",
                deaths=deaths,
                oom=self._flight.oom,
            ).encode()
        except ValueError as error:  # too large, or a figure that JSON cannot say
            self._complain("encode", "a report was given up: %s", str(error))
            return None

    def _obey(self, uplink: Uplink, incoming: Incoming) -> None:
        try:
            command = self._gate.admit(incoming.payload, target=self.process.key, now=datetime.now(UTC))
        except WireError as refusal:
            self._complain(refusal.reason, "a command was refused (%s): %s", refusal.reason, str(refusal))
            return
        answer, taken = self._orders.execute(command)
        payload = self._encode((taken,) if taken else (), (answer,))
        if payload is None:
            taken, answer = None, Answer(command=command.id, state="failed", detail="the answer cannot be written")
            payload = self._encode((), (answer,))
            if payload is None:
                return
        try:
            uplink.answer(incoming, payload)
        except TransportUnavailable:
            self._outbox.keep_answer(answer, taken)
            raise
        self._reported = True

    def _lose_transport(self, away: TransportUnavailable) -> None:
        self._outbox.keep_fresh()
        uplink, self._uplink = self._uplink, None
        if uplink is not None:
            with contextlib.suppress(Exception):
                uplink.close()
        self._backoff.failed(time.monotonic())
        if not self._away:
            self._away = True
            self._complain(
                "transport", "%s. This process runs on; snapshots are kept and sending is tried again", str(away)
            )

    def _leave(self) -> None:
        """Deliver what waits and say goodbye, if the server has heard of this process."""
        self._ending = self._flight.begin_to_leave()
        self._desk.close()
        uplink, self._uplink = self._uplink, None
        if uplink is not None:
            with contextlib.suppress(Exception):
                if self._reported:
                    self._say_goodbye(uplink)
                else:  # the server does not know it: only an end by an error is news
                    self._flight.has_left(self._ending)
            with contextlib.suppress(Exception):
                uplink.close()
        self._flight.stop_watching()

    def _say_goodbye(self, uplink: Uplink) -> None:
        # A command's own job ends with the process: one more snapshot takes it along, without a census.
        self._take(self._samples.take(census=False) if meter.waiting() else None)
        deaths = len(self._flight.deaths)
        payload = self._outbox.goodbye()
        if payload is not None:
            uplink.send(payload)
            self._flight.sent(deaths)
            self._flight.has_left(self._ending, uplink)

    def leave_to_parent(self) -> None:
        """In a forked child: give up what was inherited of files."""
        self._flight.close()

    def _complain(self, kind: str, text: str, *values: object) -> None:
        if self._spokesman.may_say(kind, time.monotonic()):
            with contextlib.suppress(Exception):
                logger.warning(f"memwatch: {text}", *values)  # noqa: G004 - the text is the format
