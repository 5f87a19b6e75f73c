"""``manage.py memwatch_report``: what leaks, for a mail, an issue, a program or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from memwatch.models import Leak
from memwatch.records import SEVERITIES
from memwatch.terminal import release_lines
from memwatch.terminal.report import (
    deaths_of,
    known_of,
    recycling_of,
    report,
    settings_of,
    track_record_of,
    work_of,
    worst,
)
from memwatch.terminal.report_formats import FORMATS
from memwatch.terminal.selection import TablesCommand

FOUND = 2
"""The exit code where ``--fail-on`` has found its severity."""


class Command(TablesCommand):
    help = (
        "Reports the open and acknowledged leaks, the most severe first, the processes that were killed, crashed or "
        "vanished within the last week, how recycling stands, what new releases changed, the views, tasks and commands "
        "of the last day that keep most memory or have the highest peaks, and the services whose recycling, workers or "
        "limit should change. "
        "Examples: memwatch_report; memwatch_report --format markdown --service web; "
        "memwatch_report --format html --output leaks.html; memwatch_report --fail-on high (for a pipeline). "
        f"Exit code: 0; {FOUND} with --fail-on if a leak is that severe."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("leaks", nargs="*", type=int, metavar="ID", help="only these leaks, in any state")
        parser.add_argument("--format", choices=sorted(FORMATS), default="text", help="default: %(default)s")
        parser.add_argument("--output", type=Path, metavar="FILE", help="write to this file instead of printing")
        parser.add_argument("--service", help="only this service")
        parser.add_argument("--all", action="store_true", help="include snoozed, suppressed and resolved leaks")
        parser.add_argument(
            "--fail-on", choices=SEVERITIES, metavar="SEVERITY", help="fail if a leak is at least this severe"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        now = timezone.now()
        leaks = self._chosen(options)
        if options["leaks"]:
            made = report(leaks, now)
        else:
            one = options["service"]
            made = report(
                leaks,
                now,
                work=work_of(now, one),
                deaths=deaths_of(now, one),
                settings=settings_of(now, one),
                recycling=recycling_of(now, one),
                releases=release_lines.lines(one),
                known=known_of(one),
                track_record=track_record_of(one),
            )
        self.write(FORMATS[options["format"]](made), options["output"], made.title)
        if options["fail_on"] is not None and worst(made.leaks) >= SEVERITIES.index(options["fail_on"]):
            raise SystemExit(FOUND)

    def _chosen(self, options: dict[str, Any]) -> list[Leak]:
        rows = Leak.objects.select_related("service", "process__service")
        if options["leaks"]:
            found = list(rows.filter(pk__in=options["leaks"]))
            if missing := set(options["leaks"]) - {leak.pk for leak in found}:
                raise CommandError(f"There is no leak {', '.join(map(str, sorted(missing)))}.")
            return found
        if not options["all"]:
            rows = rows.active()
        if options["service"] is not None:
            rows = rows.filter(service__name=options["service"])
        return list(rows)
