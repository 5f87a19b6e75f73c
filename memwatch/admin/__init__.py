"""The admin: memwatch's face for ops staff. Importing it registers every table on the default site."""

from memwatch.admin import (
    alerts,
    baselines,
    expected,
    fleet,
    leaks,
    operations,
    overview,
    processes,
    recordings,
    rollups,
    snapshots,
    triggers,
)

__all__ = [
    "alerts",
    "baselines",
    "expected",
    "fleet",
    "leaks",
    "operations",
    "overview",
    "processes",
    "recordings",
    "rollups",
    "snapshots",
    "triggers",
]
