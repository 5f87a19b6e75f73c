"""``manage.py memwatch_top``: the fleet's processes as a live table."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import close_old_connections
from django.utils import timezone

from memwatch.terminal.selection import TablesCommand
from memwatch.terminal.table import SORTS, Row, arranged, heading, plain, rows


class Command(TablesCommand):
    help = (
        "Shows every process with its memory, growth, drift and worst leak as a live table; keys sort and filter it. "
        "If the output is not a terminal, it prints plain lines once. "
        "Examples: memwatch_top; memwatch_top --sort growth --service web; memwatch_top --once | head. "
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
            from memwatch.terminal.live import View, show  # noqa: PLC0415 - rich is an extra
        except ImportError:
            self.stderr.write('The live table needs rich: pip install "memwatch[django]". Here is the plain one.')
            self._stream(options)
            return
        try:
            show(_read, View(sort=options["sort"], service=options["service"]), interval_s=options["interval"])
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
        found, now, zone = _read()
        shown = arranged(found, sort=options["sort"], service=options["service"])
        self.stdout.write(heading(found, shown, now, zone))
        self.stdout.write("\n".join(plain(shown, now)))
        if not found:
            self.stderr.write("No process is watched yet: manage.py memwatch_doctor says why.")
            raise SystemExit(1)
        self.stdout.flush()


def _read() -> tuple[Sequence[Row], datetime, str]:
    close_old_connections()
    now = timezone.now()
    return rows(now), timezone.localtime(now), timezone.get_current_timezone_name()
