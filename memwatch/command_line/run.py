"""The help of ``memwatch run``; the command itself is :mod:`memwatch.launch.command`."""

from __future__ import annotations

from typing import Any

from memwatch.launch.command import SWITCHES, VALUES


def add_to(commands: Any) -> None:
    """The command, to those of ``memwatch``."""
    run = commands.add_parser(
        "run",
        help="start a program and watch every Python in it",
        usage="memwatch run [--service NAME] [--transport URL] [--key-file FILE] [--] PROGRAM [ARG ...]",
        description="Starts a program. It and all Python programs that it starts are watched, without a change to "
        "them. Its input, output, exit code and signals are its own. "
        "Examples: memwatch run --service api --transport redis://hub:6379/0 --key-file /run/secrets/memwatch "
        "-- uvicorn app:app; memwatch run -- python report.py (with MEMWATCH_TRANSPORT in the environment). "
        "Exit code: that of the program; 2 for a wrong option; 126 if it cannot be executed; 127 if there is none.",
    )
    for option, value, text in VALUES:
        run.add_argument(option, metavar=value, help=text)
    for switch, text in SWITCHES:
        run.add_argument(switch, action="store_true", help=text)
    run.add_argument("program", nargs="...", metavar="PROGRAM [ARG ...]", help="the program and its arguments")
