"""The admin: memwatch's face for ops staff. Importing it registers every table on the default site."""

from memwatch.admin import findings, fleet, leaks, operations, overview, processes, snapshots

__all__ = ["findings", "fleet", "leaks", "operations", "overview", "processes", "snapshots"]
