"""One short transaction: checked reports into rows, each snapshot once, even if several workers store."""

from __future__ import annotations

import dataclasses
import operator
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import reduce

from django.db.models import Q

from memwatch.models import Command, ObjectType, Process, Service, Snapshot
from memwatch.queries.deployment.counters import DROPPED, DUPLICATES, FAILURES, REFUSED, REPORTS, SNAPSHOTS, label_text
from memwatch.queries.diagnosis.object_types import ids_of
from memwatch.queries.series.snapshot_mapping import columns_of, type_names
from memwatch.records import MemorySnapshot
from memwatch.records.distributions import Inventory
from memwatch.services import counters
from memwatch.services.deaths import explained, successors
from memwatch.services.deaths import noticed as deaths
from memwatch.services.deaths.noticed import Noticed
from memwatch.services.ingest import automatic_baselines, installations, processes, work, work_totals
from memwatch.services.ingest.bulk import insert, save_columns
from memwatch.services.ingest.sightings import Sighting, outside_key
from memwatch.services.locking import writing
from memwatch.services.recordings import results
from memwatch.transport.wire import Answer, RecordingPart, Report


def intern(names: Iterable[str]) -> dict[str, int]:
    """The id of each name, drawing those that are new. Call it outside a transaction, so that what it learns lasts."""
    wanted = set(names)
    found = ids_of(wanted)
    new = sorted(wanted - found.keys())
    if new:
        ObjectType.objects.bulk_create([ObjectType(name=name) for name in new], ignore_conflicts=True, batch_size=500)
        found.update(ids_of(new))
    return found


_SEEN = ("last_seen_at", "lease_expires_at", "last_snapshot", "last_seq")
_TOTALS = (
    ("dropped_snapshots", "dropped", DROPPED),
    ("sampling_failures", "failures", FAILURES),
    ("refused_commands", "refused_commands", REFUSED),
)
"""Column, field of the report, name of the counter."""
_RARELY = (
    "dropped_snapshots", "sampling_failures", "refused_commands", "ended_at", "end_reason", "program", "command_line",
    "parent_pid", "python", "agent_version", "extension_modules", "census_method", "cpu_budget_percent", "end_evidence",
    "end_noted_at",
    "oom_kills", "oom_group_kills",
    "start_method", "frozen_objects", "allocator_settings", "surroundings", "server_settings", "resource",
    "installation",
)  # fmt: skip
_ANSWERS = {"done": Command.State.DONE, "refused": Command.State.REFUSED, "failed": Command.State.FAILED}
_QUESTIONS_AT_ONCE = 100


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """What one transaction did."""

    snapshots: int
    duplicates: int


def store(reports: Sequence[Report], *, now: datetime, interval_s: float) -> Stored:
    """Store all of these reports or, with an exception, none.

    The rows of their processes are locked (on SQLite the whole database is), so that what is new, what is a duplicate
    and which snapshot is the last are decided by one writer at a time.
    """
    names = {name for report in reports for _seq, snapshot in report.snapshots for name in type_names(snapshot)}
    ids = intern(names)
    work_ids = work.intern((snapshot for report in reports for _seq, snapshot in report.snapshots), now)
    reporters = {id(report): Sighting.of(report) for report in reports}
    sightings = list(reporters.values())
    sightings += [Sighting.of_outside(seen, report) for report in reports for seen in report.outside]
    noticed = deaths.of_reports(reports, now)
    sightings += [sighting for one in noticed if (sighting := Sighting.of_ended(one)) is not None]
    processes.enrol(sightings, now)
    with writing():
        keys = {sighting.key for sighting in sightings} | {one.key for one in noticed}
        locked = Process.objects.select_for_update(no_key=True).filter(key__in=keys).order_by("pk")
        writer = _Writer(list(locked), ids, work_ids, now=now, interval_s=interval_s)
        for report in sorted(reports, key=lambda report: (report.sent_at, report.goodbye)):
            writer.take(report, reporters[id(report)])
        return writer.finish(noticed)


class _Writer:
    """Gathers what the reports change, then writes it in few statements."""

    def __init__(
        self,
        rows: Sequence[Process],
        ids: dict[str, int],
        work_ids: dict[work.Key, int],
        *,
        now: datetime,
        interval_s: float,
    ) -> None:
        self._by_key = {row.key: row for row in rows}
        self._service = dict(Service.objects.filter(pk__in={r.service_id for r in rows}).values_list("pk", "name"))
        self._ids = ids
        self._work_ids = work_ids
        self._now = now
        self._interval_s = interval_s
        self._snapshots: dict[tuple[int, int], tuple[Process, MemorySnapshot]] = {}
        self._repeated = Tally[str]()
        self._answers: list[tuple[Process, Answer]] = []
        self._recorded: list[tuple[Process, RecordingPart]] = []
        self._counted = Tally[tuple[str, str]]()
        self._changed: set[Process] = set()
        self._heard: dict[str, datetime] = {}
        self._kills_read: list[Process] = []
        self._installed: list[tuple[Process, Inventory]] = []

    def take(self, report: Report, sighting: Sighting) -> None:
        self._counted[REPORTS, ""] += 1
        process = self._by_key[report.process.key]
        if processes.describe(process, sighting):
            self._changed.add(process)
        for column, field, counter in _TOTALS:
            self._raise_total(process, column, getattr(report, field), counter)
        if report.surroundings is not None:
            process.surroundings = {**report.surroundings.to_dict(), "received_at": self._now.isoformat()}
            self._changed.add(process)
        if report.distributions is not None or report.packages is not None:
            self._installed.append((process, Inventory(report.distributions or (), report.packages or ())))
            self._changed.add(process)
        for seq, snapshot in report.snapshots:
            self._gather(process, seq, snapshot)
        self._answers += [(process, answer) for answer in report.answers]
        self._recorded += [(process, part) for part in report.recordings]
        self._mark_seen(process, report)
        self._read_kills(process, report)
        for seen in report.outside:
            outside = self._by_key.get(outside_key(report.process.host, seen))
            if outside is not None and not report.goodbye:
                figures = MemorySnapshot(timestamp=seen.timestamp, rss_mb=seen.rss_mb, vms_mb=seen.vms_mb)
                self._gather(outside, int(seen.timestamp.timestamp() * 1000), figures)
                self._mark_seen(outside, report)

    def finish(self, noticed: Sequence[Noticed]) -> Stored:
        self._drop_known()
        rows = [
            Snapshot(
                process=process,
                seq=seq,
                timestamp=snapshot.timestamp,
                received_at=self._now,
                work=work.calls_of(snapshot, self._work_ids),
                **columns_of(snapshot, self._ids),
            )
            for (_pk, seq), (process, snapshot) in self._snapshots.items()
        ]
        insert(rows)
        work.store(list(self._snapshots.values()), self._work_ids, self._now)
        work_totals.store(self._snapshots.values(), self._work_ids, self._now)
        by_process: dict[Process, list[Snapshot]] = {}
        for row, (process, _snapshot) in zip(rows, self._snapshots.values(), strict=True):
            by_process.setdefault(process, []).append(row)
            if row.seq > process.last_seq:
                process.last_seq = row.seq
                # By id: an object would close a cycle with row.process, garbage that waits for a full collection.
                process.last_snapshot_id = row.pk
        if by_process:
            automatic_baselines.keep_up(by_process, self._interval_s)
        if noticed:
            self._changed |= deaths.settle(
                noticed,
                self._by_key,
                heard=self._heard,
                services=self._service,
                counted=self._counted,
                now=self._now,
            )
        installations.assign(self._installed, self._now)
        self._save_processes()
        successors.explain(self._kills_read, self._service, self._counted, self._now)
        self._save_answers()
        results.take(self._recorded, self._now)
        self._count(by_process)
        return Stored(snapshots=len(rows), duplicates=self._repeated.total())

    def _gather(self, process: Process, seq: int, snapshot: MemorySnapshot) -> None:
        if (process.pk, seq) in self._snapshots:
            self._repeated[self._service[process.service_id]] += 1
        else:
            self._snapshots[process.pk, seq] = (process, snapshot)

    def _mark_seen(self, process: Process, report: Report) -> None:
        if process.ended_at is not None and not self._lives(process, report):
            return
        process.last_seen_at = max(process.last_seen_at, self._now)
        process.lease_expires_at = self._now + timedelta(seconds=report.lease_s)
        if report.goodbye:
            process.ended_at = max(process.started_at, min(report.sent_at, self._now))
            before = process.end_reason
            process.end_reason, process.end_evidence = report.ending or Process.End.GOODBYE, {}
            process.end_noted_at = self._now
            if process.end_reason not in (before, Process.End.GOODBYE):
                explained.count(process, self._service, self._counted)
            self._changed.add(process)
        elif process.ended_at is not None:
            processes.revive(process)

    def _lives(self, process: Process, report: Report) -> bool:
        """Whether the report is younger than the end that was noted: silence may have been the transport's fault."""
        noticed_at = deaths.noticed_at(process)
        if noticed_at is not None:
            return report.sent_at > noticed_at
        if process.ended_at is not None and report.sent_at > process.ended_at:
            return True
        return process.end_reason in Process.SILENT_ENDS and any(
            seq > process.last_seq for seq, _snapshot in report.snapshots
        )

    def _read_kills(self, process: Process, report: Report) -> None:
        """Note what the kernel has counted; a higher count may explain the end of a predecessor."""
        if not report.goodbye:
            self._heard[process.key] = max(report.sent_at, self._heard.get(process.key, report.sent_at))
        if report.oom is None or report.oom == (process.oom_kills, process.oom_group_kills):
            return
        process.oom_kills, process.oom_group_kills = report.oom
        self._changed.add(process)
        if process.oom_kills:
            self._kills_read.append(process)

    def _raise_total(self, process: Process, column: str, value: int, counter: str) -> None:
        before = getattr(process, column)
        if value > before:
            setattr(process, column, value)
            self._counted[counter, label_text(service=self._service[process.service_id])] += value - before
            self._changed.add(process)

    def _drop_known(self) -> None:
        """Leave out what is stored already. Only what is not above the highest number stored has to be asked for."""
        doubtful: dict[int, list[int]] = {}
        for (pk, seq), (process, _snapshot) in self._snapshots.items():
            if seq <= process.last_seq:
                doubtful.setdefault(pk, []).append(seq)
        questions = [Q(process=pk, seq__in=seqs) for pk, seqs in doubtful.items()]
        for start in range(0, len(questions), _QUESTIONS_AT_ONCE):
            condition = reduce(operator.or_, questions[start : start + _QUESTIONS_AT_ONCE])
            for known in Snapshot.objects.filter(condition).order_by().values_list("process_id", "seq"):
                process, _snapshot = self._snapshots.pop(known)
                self._repeated[self._service[process.service_id]] += 1

    def _save_processes(self) -> None:
        save_columns(list(self._by_key.values()), _SEEN)
        save_columns(list(self._changed), _RARELY)

    def _save_answers(self) -> None:
        if not self._answers:
            return
        wanted = {answer.command: (process, answer) for process, answer in self._answers}
        for command in Command.objects.filter(wire_id__in=list(wanted)):
            process, answer = wanted[command.wire_id]
            if command.process_id != process.pk or command.answered_at is not None:
                continue
            command.state = _ANSWERS.get(answer.state, Command.State.FAILED)
            command.detail = answer.detail[:300]
            command.answered_at = self._now
            if answer.snapshot_seq is not None:
                command.snapshot = Snapshot.objects.filter(process=process, seq=answer.snapshot_seq).only("pk").first()
            command.save(update_fields=["state", "detail", "answered_at", "snapshot"])

    def _count(self, stored: dict[Process, list[Snapshot]]) -> None:
        new = Tally[str]()
        for process, rows in stored.items():
            new[self._service[process.service_id]] += len(rows)
        for service, n in new.items():
            self._counted[SNAPSHOTS, label_text(service=service)] += n
        for service, n in self._repeated.items():
            self._counted[DUPLICATES, label_text(service=service)] += n
        counters.add_many({**self._counted})
