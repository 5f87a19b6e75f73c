"""Alerts: rules that decide from values, channels that deliver. :mod:`memwatch.services.alerts` keeps the rows."""

from memwatch.alerts.inputs import DeathsView, Finding, Fleet, JobView, LeakView, Place, ProcessView
from memwatch.alerts.rules import RULES, decide

__all__ = ["RULES", "DeathsView", "Finding", "Fleet", "JobView", "LeakView", "Place", "ProcessView", "decide"]
