"""The admin: memwatch's face for ops staff. Importing it registers every table on the default site."""

from memwatch.admin import findings, fleet, leaks, operations, overview, processes, recordings, snapshots, triggers

__all__ = [
    "findings",
    "fleet",
    "leaks",
    "operations",
    "overview",
    "processes",
    "recordings",
    "snapshots",
    "triggers",
]
