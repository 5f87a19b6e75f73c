"""``manage.py memwatch_gate``: drive a staging site, then pass or fail by what its processes did."""

from __future__ import annotations

import contextlib
import math
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch

from memwatch.models import connection
from memwatch.terminal.gate.formats import FORMATS
from memwatch.terminal.gate.load import Command as Program
from memwatch.terminal.gate.load import Load, Pages, headers_of, urls_of
from memwatch.terminal.gate.outcome import EXIT_CODES, FAILED, UNCLEAR
from memwatch.terminal.gate.run import run
from memwatch.terminal.selection import TablesCommand

MINUTES, CLIENTS, MORE_PERCENT = 30.0, 2, 20.0
MOST_CLIENTS = 64


class Command(TablesCommand):
    unwritable = EXIT_CODES[UNCLEAR]
    help = (
        "Drives a site that runs, and fails if a process leaks, is killed, or needs more memory than in the release "
        "before. Leaks that are acknowledged, snoozed or suppressed are listed and do not fail. "
        "Examples: memwatch_gate http://staging:8000/ http://staging:8000/orders/ --minutes 20; "
        "memwatch_gate --urls urls.txt --service web --format junit --output memory.xml; "
        "memwatch_gate --run 'locust --headless -t 5m -H http://staging:8000' --format sarif. "
        f"Exit code: 0 if it passed; {EXIT_CODES[FAILED]} if it failed; {EXIT_CODES[UNCLEAR]} if it could not tell: "
        "too few snapshots, no process, requests that fail, a wrong option."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "url", nargs="*", metavar="URL", help="pages to request, one after the other, again and again"
        )
        parser.add_argument("--urls", type=Path, metavar="FILE", help="a file with a URL on each line")
        parser.add_argument(
            "--header", action="append", default=[], metavar="HEADER",
            help="sent with each request, e.g. 'Cookie: sessionid=...' for pages that need a login; may be repeated",
        )  # fmt: skip
        parser.add_argument(
            "--run",
            metavar="COMMAND",
            help="a command that drives the site instead, e.g. a load test; restarted if it ends early with code 0",
        )
        parser.add_argument(
            "--minutes",
            type=float,
            default=MINUTES,
            metavar="N",
            help="how long to run; a leak takes minutes to show (default: %(default)g)",
        )
        parser.add_argument(
            "--clients",
            type=int,
            default=CLIENTS,
            metavar="N",
            help="number of requests at the same time (default: %(default)s)",
        )
        parser.add_argument("--service", help="only this service")
        parser.add_argument(
            "--more-percent", type=float, default=MORE_PERCENT, metavar="N",
            help="fail if memory is this many percent higher than in the previous release (default: %(default)g)",
        )  # fmt: skip
        parser.add_argument("--format", choices=sorted(FORMATS), default="text", help="default: %(default)s")
        parser.add_argument("--output", type=Path, metavar="FILE", help="write to this file instead of printing")

    def handle(self, *_args: Any, **options: Any) -> None:
        load = _load(options)
        for name in ("minutes", "more_percent"):
            if not 0 < options[name] < math.inf:
                raise _wrong(f"--{name.replace('_', '-')} is {options[name]:g}: give a number above 0.")
        if (obstacle := connection.obstacle()) is not None:
            raise _wrong(f"{obstacle[0].upper()}{obstacle[1:]}.")
        if options["output"] is not None and not options["output"].parent.is_dir():
            raise _wrong(f"{options['output']} cannot be written: there is no folder {options['output'].parent}.")
        quiet = options["verbosity"] == 0
        try:
            made = run(
                load,
                options["minutes"] * 60,
                service=options["service"],
                more_percent=options["more_percent"],
                say=lambda line: None if quiet else self.stderr.write(line, self.style.NOTICE),
            )
        except DatabaseError as error:
            raise _wrong(f"The database does not answer: {error}.") from None
        self.write(FORMATS[options["format"]](made), options["output"], made.state)
        if made.state in (FAILED, UNCLEAR):
            raise SystemExit(EXIT_CODES[made.state])


def _wrong(text: str) -> CommandError:
    return CommandError(text, returncode=EXIT_CODES[UNCLEAR])


def _load(options: dict[str, Any]) -> Load:
    """What drives the site. Raises :class:`CommandError`."""
    try:
        urls = urls_of(options["url"], options["urls"])
        headers = headers_of(options["header"])
        command = [] if options["run"] is None else shlex.split(options["run"])
    except ValueError as error:
        raise _wrong(f"{error}.") from None
    if bool(urls) == bool(command):
        raise _wrong("Give what drives the site: URLs, a file with --urls, or a command with --run; not both.")
    if not 1 <= options["clients"] <= MOST_CLIENTS:
        raise _wrong(f"--clients is {options['clients']}: give 1 to {MOST_CLIENTS}.")
    if command:
        if headers:
            raise _wrong("--header goes with URLs: give it to the command of --run.")
        return Program(command)
    return Pages(urls, options["clients"], headers, login=_login_paths())


def _login_paths() -> set[str]:
    """Of this site and of its admin, as far as it has them."""
    found = set()
    for name in (settings.LOGIN_URL, "admin:login"):
        with contextlib.suppress(NoReverseMatch):
            found.add(urlsplit(resolve_url(name)).path)
    return found
