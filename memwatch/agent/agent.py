"""The agent: samples its process on a timetable and on command, and hands reports to the transport."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import logging
import os
import random
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from memwatch.agent import own, work_counters
from memwatch.agent.commands import CensusLimit, Gate, Spokesman
from memwatch.agent.config import AgentConfig
from memwatch.agent.full_collections import FullCollections
from memwatch.agent.near_limit import NearLimit
from memwatch.agent.outbox import Batch, Numbered, Outbox
from memwatch.agent.parent import ParentWatch
from memwatch.agent.recordings import RecordingDesk
from memwatch.agent.scheduling import Backoff, Timetable
from memwatch.agent.thread import NativeThread
from memwatch.agent.work import meter
from memwatch.records import BigContainer
from memwatch.sampling import Sampler
from memwatch.sampling.identity import ProcessInfo, describe_process, own_arguments
from memwatch.sampling.walk import stop_walk
from memwatch.transport import Incoming, TransportUnavailable, Uplink, gevent_compat, open_uplink
from memwatch.transport.wire import Answer, Command, RecordingPart, Report, WireError

if TYPE_CHECKING:
    from memwatch.diagnosis.context import Host

logger = logging.getLogger("memwatch.agent")

DESCRIBE_EVERY_S = 600.0
"""Extension modules are imported late: who the process is, is looked at again so often."""
_AFTER_TROUBLE_S = 5.0


class Agent:
    """One per process; made by :func:`memwatch.agent.start`."""

    def __init__(self, config: AgentConfig, *, start_delay_s: float = 1.0, forked_from: int | None = None) -> None:
        self.config = config
        self.pid = os.getpid()
        self._begin_at = time.monotonic() + start_delay_s
        self._nonce = secrets.token_hex(8)
        self._chance = random.Random(self._nonce)  # noqa: S311 - the host's own sequence is left alone
        self._making = gevent_compat.new_lock()
        self._sampler: Sampler | None = None
        self._process: ProcessInfo | None = None
        self._described_at = 0.0
        self._timetable: Timetable | None = None
        self._backoff = Backoff(chance=self._chance)
        self._desk = RecordingDesk(self._circumstances)
        self._outbox = Outbox(self._encode, buffer_size=config.buffer_size, parts=self._desk.parts)
        self._gate = Gate(config.command_key)
        self._limit = CensusLimit()
        self._spokesman = Spokesman()
        self._parent = ParentWatch(agent_in=forked_from)
        self._uplink: Uplink | None = None
        self._away = False
        self._latest: Numbered | None = None
        self._containers: tuple[BigContainer, ...] | None = None
        self._total_objects: int | None = None
        self._full_collections = FullCollections()
        self._near_limit = NearLimit()
        self._reported = False
        self._seq = 0
        self._failures = 0
        self.thread = NativeThread(self._work, wake=self._wake)

    @property
    def sampler(self) -> Sampler:
        """The process's one sampler; others may use it too."""
        with self._making:
            if self._sampler is None:
                config = self.config
                self._sampler = Sampler(
                    top_objects_count=config.top_objects_count,
                    heap_limit_mb=config.heap_limit_mb,
                    pause_budget_ms=config.pause_budget_ms,
                    cpu_share_budget=config.cpu_budget_percent / 100,
                    around_walk=self.thread.collector.suspended(),
                    leaving=lambda: self.thread.leaving,
                    requests_handled=work_counters.requests_handled,
                    tasks_handled=work_counters.tasks_handled,
                )
            return self._sampler

    @property
    def process(self) -> ProcessInfo:
        """Who this process is, as its reports say."""
        with self._making:
            now = time.monotonic()
            if self._process is None or now - self._described_at > DESCRIBE_EVERY_S:
                config = self.config
                self._described_at = now
                self._process = describe_process(
                    service=config.service,
                    host=config.host,
                    release=config.release,
                    nonce=self._nonce,
                    cpu_budget_percent=config.cpu_budget_percent,
                )
            return self._process

    @property
    def lease_s(self) -> float:
        """Seconds without a report after which the process may be taken for dead."""
        return max(15.0, 3 * self.config.snapshot_interval + 20.0)

    def _circumstances(self) -> Host:
        """What a recording must know of this process."""
        from memwatch.diagnosis.context import Host  # noqa: PLC0415 - only where somebody records

        return Host(
            program=self.process.program,
            arguments=tuple(own_arguments()),
            heap_limit_mb=self.config.heap_limit_mb,
            shows_values=self.config.record_values and not own.is_own(),
            baseline=self.sampler.baseline_counts,
            containers=lambda: self._containers,
            total_objects=lambda: self._total_objects,
            requests_handled=work_counters.requests_handled,
            tasks_handled=work_counters.tasks_handled,
            since_full_s=lambda: self._full_collections.since_s(time.monotonic()),
            collects=lambda: self.thread.collector.taken or gc.isenabled(),
            note_jobs=meter.look_for,
            made_in=meter.made,
        )

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
        if time.monotonic() >= self._near_limit.next_at:
            self._near_limit.step(time.monotonic())
        if self._uplink is not None:
            self._deliver(self._uplink)
        if not self.thread.leaving:
            self._wait(self._timetable)

    def _wait(self, timetable: Timetable) -> None:
        now = time.monotonic()
        until = min(timetable.next_at, self._desk.next_at, self._near_limit.next_at)
        if self._uplink is None:
            self.thread.sleep(min(until, self._backoff.retry_at) - now)
            return
        with self._with_a_slow_transport():
            incoming = self._uplink.receive(max(0.0, until - now))
        if incoming is not None:
            self._obey(self._uplink, incoming)

    def _sample_on_time(self) -> None:
        self._outbox.report_due = True
        with contextlib.suppress(Exception):
            self._outbox.outside = self._parent.look()
        taken = self._sample(census=None)
        if taken is not None:
            self._outbox.take(taken)

    def _sample(self, *, census: bool | None) -> Numbered | None:
        """A numbered snapshot; ``None``, counted, when sampling failed."""
        try:
            snapshot = self._desk.discount(self.sampler.sample(census=census))
            now = time.monotonic()
            snapshot = dataclasses.replace(snapshot, work=meter.take(), rss_seconds=self._near_limit.take(now))
            self._near_limit.snapshot(snapshot, now)
        except Exception as error:  # noqa: BLE001 - counted, and said once
            self._failures += 1
            self._complain("sample", "no snapshot could be taken: %s: %s", type(error).__name__, str(error))
            return None
        self._seq += 1
        self._full_collections.look(time.monotonic())
        self._latest = (self._seq, snapshot)
        self._containers = snapshot.big_containers or self._containers
        self._total_objects = snapshot.total_objects or self._total_objects
        return self._latest

    def _deliver(self, uplink: Uplink) -> None:
        def send(payload: bytes) -> None:
            with self._with_a_slow_transport():
                uplink.send(payload)
            self._sent()

        self._outbox.deliver(send, leaving=lambda: self.thread.leaving)

    def _sent(self) -> None:
        self._reported = True
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
        goodbye: bool = False,
    ) -> bytes | None:
        try:
            return Report(
                process=self.process,
                sent_at=datetime.now(UTC),
                lease_s=self.lease_s,
                snapshots=snapshots,
                answers=answers,
                outside=self._outbox.outside,
                recordings=recordings,
                dropped=self._outbox.dropped,
                failures=self._failures,
                refused_commands=self._gate.refused,
                goodbye=goodbye,
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
        answer, taken = self._execute(command)
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

    def _execute(self, command: Command) -> tuple[Answer, Numbered | None]:
        if command.name == "ping":
            return Answer(command=command.id, state="done"), None
        if command.name in ("record", "cancel_recording"):
            act = self._desk.record if command.name == "record" else self._desk.cancel
            state, detail = act(command.arguments)
            return Answer(command=command.id, state=state, detail=detail), None
        now = time.monotonic()
        wait_s = self._limit.wait_s(now)
        if wait_s > 0 and command.name == "snapshot":
            detail = f"one census a second on command: ask again in {wait_s:.1f} s"
            return Answer(command=command.id, state="refused", detail=detail), None
        if wait_s > 0:
            taken = self._latest  # a census of this second
        else:
            taken = self._sample(census=True)
            self._limit.taken(now)
        if taken is None:
            return Answer(command=command.id, state="failed", detail="sampling failed, see the process's log"), None
        if command.name == "reset_baseline":
            self.sampler.reset_baseline()
        return Answer(command=command.id, state="done", snapshot_seq=taken[0]), taken

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
        self._desk.close()
        uplink, self._uplink = self._uplink, None
        if uplink is None:
            return
        with contextlib.suppress(Exception):
            if self._reported:
                self._tell_last_jobs()
                payload = self._outbox.goodbye()
                if payload is not None:
                    uplink.send(payload)
        with contextlib.suppress(Exception):
            uplink.close()

    def _tell_last_jobs(self) -> None:
        """A command's own job ends with the process: one more snapshot takes it along, without a census."""
        taken = self._sample(census=False) if meter.waiting() else None
        if taken is not None:
            self._outbox.take(taken)

    def _complain(self, kind: str, text: str, *values: object) -> None:
        if self._spokesman.may_say(kind, time.monotonic()):
            with contextlib.suppress(Exception):
                logger.warning(f"memwatch: {text}", *values)  # noqa: G004 - the text is the format
