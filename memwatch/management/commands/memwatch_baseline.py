"""``manage.py memwatch_baseline``: show or reset baselines."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser

from memwatch import formatting
from memwatch.models import Baseline
from memwatch.queries import baselines_of, fleet
from memwatch.services import ActionRefused, audit, baselines
from memwatch.terminal import selection
from memwatch.terminal.selection import TablesCommand


class Command(TablesCommand):
    help = (
        "Shows or resets baselines. "
        "Examples: memwatch_baseline list; memwatch_baseline reset web-1 --reason deploy; "
        "memwatch_baseline reset --service web (also sets the baseline of processes that start later, to the median); "
        "memwatch_baseline reset --all. Exit code: 0 if all were reset, 1 if one was not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="{list,reset}")
        verbs.add_parser("list", help="show the processes, and how far each has drifted from its baseline")
        reset = verbs.add_parser("reset", help="set the baseline to the present figures")
        selection.add_arguments(reset)
        reset.add_argument("--reason", default="", help="a reason for the history, e.g. deploy 4.2")
        reset.add_argument("--user", metavar="NAME", help="the user to record in the admin's log")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["verb"] == "list":
            self._list()
        else:
            self._reset(options)

    def _list(self) -> None:
        items = fleet()
        rows = baselines_of([item.process for item in items])
        for item in items:
            used = formatting.megabytes(item.figures.heap_used_mb if item.figures else None)
            line = f"{item.process}: heap {used}, drift {formatting.signed_percent(item.drift_percent)}"
            row = rows.get(item.process.pk)
            self.stdout.write(f"{line}, {_against(row)}")
        if not items:
            self.stdout.write("No process is watched yet: manage.py memwatch_doctor says why.")

    def _reset(self, options: dict[str, Any]) -> None:
        failed = 0
        by, reason = _user(options["user"]), options["reason"] or f"memwatch_baseline, {getpass.getuser()}"
        if options["service"] is not None and not options["slots"] and options["host"] is None:
            service = selection.service_named(options["service"])
            try:
                baselines.reset_service(service, by=by, reason=reason)
            except ActionRefused as refused:
                raise CommandError(str(refused)) from None
            if by is None:
                audit.at_terminal("Baseline reset.", service)
            self.stdout.write(f"{service}: the baseline is how its processes are now.")
            return
        processes = selection.chosen(
            options["slots"], service=options["service"], host=options["host"], everything=options["all"]
        )
        for process in processes:
            try:
                baselines.reset_process(process, by=by, reason=reason)
            except ActionRefused as refused:
                failed += 1
                self.stderr.write(str(refused))
            else:
                if by is None:
                    audit.at_terminal("Baseline reset.", process)
                self.stdout.write(f"{process}: the baseline is how it is now.")
        if failed:
            raise SystemExit(1)


def _against(row: Baseline | None) -> str:
    if row is None:
        return "no baseline yet"
    whose = "its own" if row.process_id is not None else "its service's"
    return f"against {whose} baseline of {formatting.age(row.timestamp)}{f' ({row.reason})' if row.reason else ''}"


def _user(name: str | None) -> Any:
    if name is None:
        return None
    users = get_user_model()
    try:
        return users._default_manager.get_by_natural_key(name)
    except users.DoesNotExist:
        raise CommandError(f"There is no user {name!r}.") from None
