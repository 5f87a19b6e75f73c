"""Tables and querysets; no mathematics."""

from memwatch.models.figures import Baseline, FiguresColumns, Snapshot, SnapshotRollup
from memwatch.models.findings import Alert, ExpectedGrowth, Leak, LeakEvent, Severity
from memwatch.models.fleet import ObjectType, Process, Release, Service
from memwatch.models.operations import Command, Counter, Lease, Recording, RejectedReport, Trigger
from memwatch.models.overview import Overview

__all__ = [
    "Alert",
    "Baseline",
    "Command",
    "Counter",
    "ExpectedGrowth",
    "FiguresColumns",
    "Leak",
    "LeakEvent",
    "Lease",
    "ObjectType",
    "Overview",
    "Process",
    "Recording",
    "RejectedReport",
    "Release",
    "Service",
    "Severity",
    "Snapshot",
    "SnapshotRollup",
    "Trigger",
]
