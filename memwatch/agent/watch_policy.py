"""Whether this process is one to watch, judged by what it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from memwatch.sampling.identity.program import WEB_SERVERS, guess_program

UNKNOWN_DELAY_S = 10.0
"""A program or command that memwatch does not know is watched when it still runs after this time."""

_OTHER_WEB_SERVERS = ("mod_wsgi-express", "cheroot")
_WEB_COMMANDS = ("runserver", "runserver_plus")
_LONG_COMMANDS = ("memwatch_exporter", "memwatch_work")
_SHORT_COMMANDS = frozenset(
    {
        "",
        "changepassword",
        "check",
        "clearsessions",
        "collectstatic",
        "compilemessages",
        "createcachetable",
        "createsuperuser",
        "dbshell",
        "diffsettings",
        "dumpdata",
        "findstatic",
        "flush",
        "help",
        "inspectdb",
        "loaddata",
        "makemessages",
        "makemigrations",
        "memwatch_doctor",
        "memwatch_env",
        "memwatch_gate",
        "memwatch_prune",
        "memwatch_top",
        "migrate",
        "optimizemigration",
        "remove_stale_contenttypes",
        "run_stack",
        "sendtestemail",
        "shell",
        "shell_plus",
        "showmigrations",
        "spectacular",
        "sqlflush",
        "sqlmigrate",
        "sqlsequencereset",
        "squashmigrations",
        "startapp",
        "startproject",
        "test",
        "testserver",
        "version",
    }
)
"""Done in a moment, interactive, or a supervisor of processes that are watched themselves."""
_CELERY_LONG = ("main", "child", "beat", "flower")
_INTERACTIVE = ("python", "ipython", "bpython", "ptpython", "jupyter", "jupyter-lab", "ipykernel_launcher")
_TOOLS = (
    *("pytest", "py.test", "unittest", "tox", "nox"),
    *("mypy", "dmypy", "pylint", "sphinx-build", "sphinx-autobuild"),
)
"""Runners of tests, and what loads a site's settings only to look at its code."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """Whether and when to start the agent."""

    delay_s: float
    """Seconds after the start at which work may begin."""
    serves_requests: bool = False


NOW = Occasion(delay_s=1.0)
WEB = Occasion(delay_s=1.0, serves_requests=True)
LATER = Occasion(delay_s=UNKNOWN_DELAY_S)


def occasion(arguments: Sequence[str], *, environ: Mapping[str, str], modules: Mapping[str, object]) -> Occasion | None:
    """How to watch the process with these arguments, environment and loaded modules; ``None``: not at all."""
    kind, _, command = guess_program(arguments).partition(" ")
    if "_pytest" in modules or kind in _TOOLS or (kind in _INTERACTIVE and command != "-c"):
        return None
    if "uwsgi" in modules or "mod_wsgi" in modules or kind in (*WEB_SERVERS, *_OTHER_WEB_SERVERS):
        return WEB
    if kind == "celery":
        return NOW if command in _CELERY_LONG else None
    if kind == "manage.py":
        return _management(command, arguments, environ)
    return LATER


def _management(command: str, arguments: Sequence[str], environ: Mapping[str, str]) -> Occasion | None:
    if command in _WEB_COMMANDS:
        is_reloaders_parent = "--noreload" not in arguments and environ.get("RUN_MAIN") != "true"
        return None if is_reloaders_parent and environ.get("WERKZEUG_RUN_MAIN") != "true" else WEB
    if command in WEB_SERVERS:
        return WEB
    if command in _LONG_COMMANDS:
        return NOW if "--once" not in arguments else None
    return None if command in _SHORT_COMMANDS or "--help" in arguments or "-h" in arguments else LATER
