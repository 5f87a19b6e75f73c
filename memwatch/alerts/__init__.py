"""Alerts: rules that decide from values, channels that deliver. :mod:`memwatch.services.alerts` keeps the rows."""

from memwatch.alerts.inputs import Finding, Fleet, LeakView, ProcessView
from memwatch.alerts.rules import RULES, decide

__all__ = ["RULES", "Finding", "Fleet", "LeakView", "ProcessView", "decide"]
