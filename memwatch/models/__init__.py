"""Tables and querysets; no mathematics."""

from memwatch.models.anomalies import Anomaly, AnomalyMemory, Forecast, ServiceHour
from memwatch.models.event_cursors import EventCursor
from memwatch.models.figures import Baseline, FiguresColumns, Snapshot, SnapshotRollup
from memwatch.models.findings import Alert, ExpectedGrowth, Leak, LeakEvent, Severity
from memwatch.models.fleet import ObjectType, Process, Release, Service
from memwatch.models.installations import Installation
from memwatch.models.notifications import Notification
from memwatch.models.operations import Command, Counter, Lease, RejectedReport
from memwatch.models.pages import Death, Operations, Overview, Recommendation, TrackRecord
from memwatch.models.recordings import FlameGraphMode, Recording, RecordingKind, RecordingPart, Trigger
from memwatch.models.recycling import Recycle, RecyclingPolicy
from memwatch.models.tokens import ApiToken
from memwatch.models.work import WorkName, WorkRollup, WorkTotal

__all__ = [
    "Alert",
    "Anomaly",
    "AnomalyMemory",
    "ApiToken",
    "Baseline",
    "Command",
    "Counter",
    "Death",
    "EventCursor",
    "ExpectedGrowth",
    "FiguresColumns",
    "FlameGraphMode",
    "Forecast",
    "Installation",
    "Leak",
    "LeakEvent",
    "Lease",
    "Notification",
    "ObjectType",
    "Operations",
    "Overview",
    "Process",
    "Recommendation",
    "Recording",
    "RecordingKind",
    "RecordingPart",
    "Recycle",
    "RecyclingPolicy",
    "RejectedReport",
    "Release",
    "Service",
    "ServiceHour",
    "Severity",
    "Snapshot",
    "SnapshotRollup",
    "TrackRecord",
    "Trigger",
    "WorkName",
    "WorkRollup",
    "WorkTotal",
]
