"""``manage.py memwatch_snapshot``: a fresh snapshot of some processes, and what it says."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from memwatch import formatting
from memwatch.models import Command as Asked
from memwatch.models import Snapshot
from memwatch.queries import figures_of
from memwatch.services import audit, commands
from memwatch.terminal import selection
from memwatch.terminal.selection import TablesCommand


class Command(TablesCommand):
    help = (
        "Asks processes for a snapshot now, and prints their figures. "
        "Examples: memwatch_snapshot web-1; memwatch_snapshot --service worker --json; memwatch_snapshot --all. "
        "Exit code: 0 if all answered, 1 if one did not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        selection.add_arguments(parser)
        parser.add_argument(
            "--wait", type=float, default=5.0, metavar="S", help="seconds to wait for answers (default: %(default)s)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object per line")

    def handle(self, *_args: Any, **options: Any) -> None:
        processes = selection.chosen(
            options["slots"], service=options["service"], host=options["host"], everything=options["all"]
        )
        rows = commands.request_snapshots(processes, wait_s=max(0.1, options["wait"]))
        for process in processes:
            audit.at_terminal("Asked for: snapshot.", process)
        snapshots = Snapshot.objects.in_bulk([row.snapshot_id for row in rows if row.snapshot_id is not None])
        silent = 0
        for process, row in zip(processes, rows, strict=True):
            snapshot = snapshots.get(row.snapshot_id) if row.snapshot_id is not None else None
            if snapshot is None:
                silent += 1
                self.stderr.write(f"{process}: {_problem(row)}")
            elif options["json"]:
                figures = figures_of(snapshot).to_dict()
                self.stdout.write(json.dumps({"slot": process.slot, "host": process.host, **figures}))
            else:
                self.stdout.write(f"{process}: {_sentence(snapshot)}")
        if silent:
            raise SystemExit(1)


def _problem(row: Asked) -> str:
    return row.detail or "has not answered in time: is it busy in C code, or stopped? Try --wait 30"


def _sentence(snapshot: Snapshot) -> str:
    parts = [
        f"RSS {formatting.kib(snapshot.rss_kib)}",
        f"heap {formatting.kib(snapshot.heap_used_kib)} of {formatting.kib(snapshot.heap_limit_kib)}",
        f"{formatting.count(snapshot.total_objects)} objects",
    ]
    if snapshot.census_pause_us is not None:
        parts.append(f"pause {formatting.milliseconds(snapshot.census_pause_us / 1000)}")
    return ", ".join(parts)
