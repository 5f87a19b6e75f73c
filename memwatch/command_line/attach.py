"""``memwatch attach PID``."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from memwatch.launch.command import VALUES, WRONG, Wrong, prepare

_FAILED = 1


def add_to(commands: Any) -> None:
    """The command, to those of ``memwatch``."""
    attach = commands.add_parser(
        "attach",
        help="watch a process that runs already (Python 3.14)",
        description="Puts the agent into a process that runs without one, or looks at its memory once. It needs Python "
        "3.14 or newer, the version of the program itself, and the right to trace it: the same user where the system "
        "allows that, or root. The program runs on all the while. Processes that it forks later are watched as well. "
        "Examples: memwatch attach 4711 --service api --transport redis://hub:6379/0; memwatch attach 4711 --once; "
        "memwatch attach 4711 --detach. "
        "Exit code: 0; 1 if it was not possible, with the reason; 2 for a wrong option.",
    )
    attach.add_argument("pid", type=int, metavar="PID", help="the process")
    way = attach.add_mutually_exclusive_group()
    way.add_argument("--once", action="store_true", help="print its memory and its most frequent types, and leave")
    way.add_argument("--detach", action="store_true", help="take out the agent that this command has put in")
    for option, value, text in VALUES:
        attach.add_argument(option, metavar=value, help=text)
    attach.add_argument(
        "--within", type=_seconds, default=30.0, metavar="SECONDS", help="wait so long for it (default: %(default)g)"
    )
    attach.set_defaults(run=_attach)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds, more than 0 and less than 86400")
    return seconds


def _attach(options: argparse.Namespace) -> int:
    from memwatch.launch import attach, attached  # noqa: PLC0415 - only for this command

    what = attached.LOOK if options.once else attached.TAKE_OUT if options.detach else attached.PUT_IN
    try:
        environ = _environment(options) if what == attached.PUT_IN else {}
    except (Wrong, ValueError) as wrong:
        sys.stderr.write(f"memwatch: {wrong}\n")
        return WRONG
    try:
        text = attach.attach(options.pid, what, environ, within_s=options.within)
        lines = _told(text) if what == attached.LOOK else []
    except (attach.CannotAttach, ValueError) as error:
        sys.stderr.write(f"memwatch: {error}\n")
        return _FAILED
    word = "watched" if what == attached.PUT_IN else "no longer watched"
    sys.stdout.write("".join(f"{line}\n" for line in lines or [f"process {options.pid} is {word}"]))
    return 0


def _environment(options: argparse.Namespace) -> dict[str, str]:
    """What the agent reads in place of the program's environment. Raises for a variable that is wrong."""
    from memwatch.agent.config.environment import KEY_FILE, agent_config, is_on, read_keys  # noqa: PLC0415

    given = {option: getattr(options, option.lstrip("-").replace("-", "_")) for option, _value, _text in VALUES}
    environ = dict(os.environ)
    prepare(environ, {option: value for option, value in given.items() if value})
    if not is_on(environ):
        raise Wrong("MEMWATCH_AGENT is off")
    agent_config(environ)
    found = {name: value for name, value in environ.items() if name.startswith("MEMWATCH_")}
    if path := found.pop(KEY_FILE, ""):  # the program may not be able to read it
        found.setdefault("MEMWATCH_COMMAND_KEY", read_keys(path)[0])
    return found


def _told(text: str) -> list[str]:
    """A snapshot, for people: what was measured, then the most frequent types."""
    from memwatch.records import FIGURES  # noqa: PLC0415
    from memwatch.transport import strict_json  # noqa: PLC0415
    from memwatch.transport.snapshots import numbered_snapshot  # noqa: PLC0415

    _number, snapshot = numbered_snapshot([0, strict_json.loads(text)])  # checked as what comes from elsewhere
    rows = []
    for name, figure in FIGURES.items():
        value = getattr(snapshot, name)
        if figure.label and type(value) in (int, float):
            rows.append((figure.label, f"{value:,}" if type(value) is int else f"{value:,.1f}", figure.unit.symbol))
    types = sorted((snapshot.top_objects or {}).items(), key=lambda each: -each[1])[:20]
    rows += [(name, f"{count:,}", "objects") for name, count in types]
    wide = max((len(label) for label, _value, _unit in rows), default=0)
    return [f"{label:<{wide}}  {value:>12} {unit}".rstrip() for label, value, unit in rows]
