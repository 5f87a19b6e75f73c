"""``manage.py memwatch_top``: the fleet's processes as a live table."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError, CommandParser
from django.db import close_old_connections
from django.utils import timezone

from memwatch.terminal import death_table, work_table
from memwatch.terminal.selection import TablesCommand
from memwatch.terminal.table import SORTS, arranged, cells, heading, plain, rows

if TYPE_CHECKING:
    from memwatch.terminal.live import Reading


class Command(TablesCommand):
    help = (
        "Shows every process with its memory, growth, drift and worst leak as a live table; keys sort and filter it, "
        "w shows views, tasks and commands by name: calls an hour, memory kept by a call, peaks, time, "
        "and x the processes that were killed, crashed or vanished within the last week. "
        "If the output is not a terminal, it prints plain lines once. "
        "Examples: memwatch_top; memwatch_top --sort growth --service web; memwatch_top --once | head; "
        "memwatch_top --work --once; memwatch_top --deaths --once. "
        "Exit code: 0; 1 if no process is watched."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--sort", choices=sorted(SORTS), default="", help="sort by this, largest first (default: by name)"
        )
        parser.add_argument("--service", default="", help="only processes of this service")
        parser.add_argument(
            "--interval",
            type=float,
            default=5.0,
            metavar="S",
            help="seconds between two updates (default: %(default)s)",
        )
        parser.add_argument("--work", action="store_true", help="show work by name, the highest peak first")
        parser.add_argument("--deaths", action="store_true", help="show deaths of the last week, the last one first")
        parser.add_argument("--once", action="store_true", help="print one table and exit")
        parser.add_argument("--plain", action="store_true", help="print plain lines repeatedly, also on a terminal")

    def handle(self, *_args: Any, **options: Any) -> None:
        if not options["interval"] > 0:
            raise CommandError(f"--interval is {options['interval']:g}: give seconds above 0, e.g. 5")
        terminal = self.stdout.isatty() and sys.stdin.isatty() and not options["plain"]
        if options["once"] or not (terminal or options["plain"]):
            self._print(options)
        elif terminal:
            self._live(options)
        else:
            self._stream(options)

    def _live(self, options: dict[str, Any]) -> None:
        try:
            from memwatch.terminal.live import DEATHS, PROCESSES, WORK, Reading, View, show  # noqa: PLC0415 - rich is an extra
        except ImportError:
            self.stderr.write('The live table needs rich: pip install "memwatch[django]". Here is the plain one.')
            self._stream(options)
            return

        def read(page: str) -> Reading:
            now, local, zone = _moment()
            if page == DEATHS:
                return Reading(now=local, zone=zone, deaths=death_table.rows(now, options["service"]))
            if page == WORK:
                return Reading(now=local, zone=zone, work=work_table.rows(now))
            return Reading(now=local, zone=zone, processes=rows(now))

        page = DEATHS if options["deaths"] else WORK if options["work"] else PROCESSES
        view = View(sort=options["sort"], service=options["service"], page=page)
        try:
            show(read, view, interval_s=options["interval"])
        except KeyboardInterrupt:
            return

    def _stream(self, options: dict[str, Any]) -> None:
        try:
            while True:
                self._print(options)
                time.sleep(options["interval"])
        except KeyboardInterrupt:
            return

    def _print(self, options: dict[str, Any]) -> None:
        now, local, zone = _moment()
        if options["deaths"]:
            ended = death_table.rows(now, options["service"])
            self.stdout.write(death_table.heading(ended, ended.lines, local, zone))
            table = [death_table.cells(line, local) for line in ended.lines]
            self.stdout.write("\n".join(plain(table, death_table.HEADS, death_table.NUMBERS)))
            self.stdout.flush()
            return
        if options["work"]:
            names = work_table.rows(now)
            listed = work_table.arranged(names, sort="peak", service=options["service"])
            self.stdout.write(work_table.heading(names, listed, local, zone))
            lines = plain(map(work_table.cells, listed), work_table.HEADS, work_table.NUMBERS)
            self.stdout.write("\n".join(lines))
            self.stdout.flush()
            return
        found = rows(now)
        shown = arranged(found, sort=options["sort"], service=options["service"])
        self.stdout.write(heading(found, shown, local, zone))
        self.stdout.write("\n".join(plain(cells(row, local) for row in shown)))
        if not found:
            self.stderr.write("No process is watched yet: manage.py memwatch_doctor says why.")
            raise SystemExit(1)
        self.stdout.flush()


def _moment() -> tuple[datetime, datetime, str]:
    """Now, as the site's clock shows it, and the name of its zone."""
    close_old_connections()
    now = timezone.now()
    return now, timezone.localtime(now), timezone.get_current_timezone_name()
