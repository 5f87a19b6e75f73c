"""Commands and rejected reports with those like them."""

from __future__ import annotations

from memwatch.models import Command, RejectedReport


def other_commands(command: Command, most: int) -> list[Command]:
    """What else was asked of the same process, with who asked."""
    others = Command.objects.filter(process=command.process_id).exclude(pk=command.pk)
    return list(others.select_related("created_by")[:most])


def rejected_alike(report: RejectedReport, most: int) -> list[RejectedReport]:
    """Other reports that were rejected for the same reason."""
    return list(RejectedReport.objects.filter(reason=report.reason).exclude(pk=report.pk)[:most])
