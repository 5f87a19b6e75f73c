"""``manage.py memwatch_prune``: roll-ups and retention now, instead of waiting for beat."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandParser

from memwatch.records import MB
from memwatch.services import audit
from memwatch.services.retention import PruneResult, prune
from memwatch.services.rollups import Progress
from memwatch.terminal.selection import TablesCommand

_WORDS = {
    "hourly_written": "hourly roll-ups written",
    "daily_written": "daily roll-ups written",
    "snapshots": "snapshots",
    "hourly_rollups": "hourly roll-ups",
    "daily_rollups": "daily roll-ups",
    "hourly_work": "hours of work",
    "daily_work": "days of work",
    "work_names": "names of work",
    "leaks": "resolved leaks",
    "alerts": "cleared alerts",
    "anomalies": "anomalies that have ended",
    "service_hours": "hours of services",
    "processes": "ended processes",
    "installations": "lists of distributions",
    "baselines": "replaced baselines",
    "commands": "commands",
    "rejected_reports": "rejected reports",
    "recordings": "recordings",
    "recycles": "recycles",
}


class Command(TablesCommand):
    help = (
        "Rolls up complete hours and days, then deletes rows that are older than the settings RETENTION_* allow. "
        "Examples: memwatch_prune --dry-run; memwatch_prune. "
        "Exit code: 0; 1 if the tables do not exist."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count the rows that would be deleted")

    def handle(self, *args: Any, dry_run: bool, verbosity: int, **options: Any) -> None:
        shown = self._bars() if verbosity > 0 and not dry_run and self.stderr.isatty() else self._silent()
        with shown as progress:
            result = prune(progress=progress, dry_run=dry_run)
        if not dry_run:
            audit.at_terminal("memwatch_prune.")
        if verbosity > 0:
            self.stdout.write(_report(result, dry_run=dry_run))

    @contextlib.contextmanager
    def _silent(self) -> Iterator[Progress | None]:
        yield None

    @contextlib.contextmanager
    def _bars(self) -> Iterator[Progress | None]:
        """A bar for each kind of row, on a terminal that has rich (``pip install memwatch[terminal]``)."""
        try:
            from rich.console import Console  # noqa: PLC0415 - rich is an extra
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
            from rich.progress import Progress as Bars  # noqa: PLC0415
        except ImportError:
            yield None
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        tasks: dict[str, Any] = {}
        with Bars(*columns, console=Console(stderr=True)) as bars:

            def advance(what: str, done: int, total: int) -> None:
                if total and what not in tasks:
                    tasks[what] = bars.add_task(what, total=total)
                if what in tasks:
                    bars.update(tasks[what], completed=done, total=total)

            yield advance


def _report(result: PruneResult, *, dry_run: bool) -> str:
    """One line a kind of row that there is something to say of."""
    counts = dataclasses.asdict(result)
    lines = []
    for name, words in _WORDS.items():
        if not (n := counts[name]):
            continue
        written = name.endswith("_written")
        verb = "" if written else ("would be deleted" if dry_run else "deleted")
        lines.append(f"{n:>10,}  {words} {verb}".rstrip())
    if result.freed_bytes:
        lines.append(f"{result.freed_bytes / MB:>10,.1f}  MB, about, are free for new rows")
    return "\n".join(lines) if lines else "Nothing is old enough to be pruned."
