"""A process as one report speaks of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from memwatch.records.flight import Flight
from memwatch.sampling.identity import OutsideProcess, ProcessInfo
from memwatch.services.deaths.noticed import Noticed
from memwatch.transport.wire import Report


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """A process as one report speaks of it."""

    key: str
    service: str
    release: str
    host: str
    pid: int
    started_at: datetime
    sent_at: datetime
    outside: bool
    description: Mapping[str, Any]
    """The columns that may change in a process's life."""

    @classmethod
    def of(cls, report: Report) -> Sighting:
        """The process that reports."""
        info = report.process
        return cls(
            key=info.key,
            service=service_name(info),
            release=info.release[:200],
            host=info.host,
            pid=info.pid,
            started_at=info.started_at,
            sent_at=report.sent_at,
            outside=False,
            description={
                "program": info.program,
                "command_line": info.command_line,
                "parent_pid": info.parent_pid,
                "python": info.python,
                "agent_version": info.agent,
                "extension_modules": list(info.extension_modules),
                "census_method": info.census_method,
                "cpu_budget_percent": info.cpu_budget_percent,
                "start_method": info.start_method,
                "frozen_objects": info.frozen_objects,
                "allocator_settings": None if info.allocator_settings is None else dict(info.allocator_settings),
                "server_settings": dict(info.server_settings),
                "resource": dict(info.resource),
            },
        )

    @classmethod
    def of_outside(cls, seen: OutsideProcess, report: Report) -> Sighting:
        """A process without an agent, of the service of the one that reports it."""
        info = report.process
        return cls(
            key=outside_key(info.host, seen),
            service=service_name(info),
            release=info.release[:200],
            host=info.host,
            pid=seen.pid,
            started_at=seen.started_at,
            sent_at=report.sent_at,
            outside=True,
            description={"program": seen.program, "command_line": seen.command_line},
        )

    @classmethod
    def of_ended(cls, noticed: Noticed) -> Self | None:
        """A process that may have ended before its first report; ``None`` where it left no record."""
        flight = noticed.flight
        if flight is None:
            return None
        return cls(
            key=noticed.key,
            service=service_name(flight),
            release="",
            host=flight.host,
            pid=flight.pid,
            started_at=min(flight.started_at, noticed.at),
            sent_at=noticed.at,
            outside=False,
            description={},
        )


def service_name(info: ProcessInfo | Flight) -> str:
    """The name of the service, as long as the column takes it."""
    return info.service[:100]


def outside_key(host: str, seen: OutsideProcess) -> str:
    """The identity of a process seen from outside."""
    return f"{host}:{seen.pid}:{seen.started_at.timestamp():.3f}:outside"
