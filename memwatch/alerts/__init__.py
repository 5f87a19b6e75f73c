"""Alerts: rules that decide from values, channels that deliver. :mod:`memwatch.services.alerts` keeps the rows."""

from memwatch.alerts.rules import RULES, decide
from memwatch.alerts.values import Finding, Fleet, LeakView, ProcessView

__all__ = ["RULES", "Finding", "Fleet", "LeakView", "ProcessView", "decide"]
