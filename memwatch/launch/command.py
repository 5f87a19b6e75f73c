"""``memwatch run PROGRAM``: becomes the program, with what makes every Python in it carry the agent.

It adds to the program's start: what takes milliseconds to import (argparse, pathlib, re) is not imported here.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys

from memwatch.launch import messages
from memwatch.launch.program import why_unwatched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence
    from typing import NoReturn

FAILED, WRONG, NOT_EXECUTABLE, NOT_FOUND = 1, 2, 126, 127
"""Exit codes, those of a shell."""
FOLDER = f"{__file__.rpartition(os.sep)[0]}{os.sep}path"
VALUES = (
    ("--service", "NAME", "default: MEMWATCH_SERVICE, else by the program"),
    ("--transport", "URL", "where reports go; default: MEMWATCH_TRANSPORT"),
    ("--key-file", "FILE", "holds the key that signs commands; default: MEMWATCH_COMMAND_KEY_FILE"),
)
"""Options with a value."""
SWITCHES = (
    ("--folder", "print the folder to put first on PYTHONPATH, and exit"),
    (
        "--install",
        "watch each program of this Python environment that has MEMWATCH_TRANSPORT in its environment, and exit",
    ),
    ("--uninstall", "undo --install, and exit"),
)
_SCHEMES = ("local", "redis", "rediss", "unix")


class Wrong(Exception):  # noqa: N818 - it is no error of the program
    """An option that cannot be taken; the text says what would be right."""


def main(arguments: Sequence[str]) -> int:
    """Become the program, or give an exit code. ``arguments``: those after ``memwatch run``."""
    try:
        options, program = parse(arguments)
        for switch, _help in SWITCHES:
            if switch in options:
                return _alone(switch)
        if not program:
            raise Wrong("name the program to start, e.g. memwatch run -- uvicorn app:app")
        environ = dict(os.environ)
        prepare(environ, options)
    except Wrong as wrong:
        return _failed(str(wrong), WRONG)
    messages.mark(environ)
    reason = why_unwatched(program[0], program[1:])
    if reason:
        messages.say(f"{program[0]} is not watched: {reason}", environ)
    return _become(program, environ)


def parse(arguments: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The options, and the program with its arguments. Raises :class:`Wrong`."""
    options: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).partition("=")
        if name == "--":
            break
        if name in [switch for switch, _help in SWITCHES] and not equals:
            options[name] = ""
            continue
        if name not in [option for option, _value, _help in VALUES]:
            raise Wrong(f"{name}: there is no such option; memwatch run --help lists them")
        if not equals:
            if not rest:
                raise Wrong(f"{name}: give a value")
            value = rest.pop(0)
        options[name] = value
    return options, rest


def prepare(environ: MutableMapping[str, str], options: dict[str, str]) -> None:
    """Put into ``environ`` what the agent needs. Raises :class:`Wrong`."""
    transport = options.get("--transport") or environ.get("MEMWATCH_TRANSPORT", "")
    if transport.partition(":")[0] not in _SCHEMES or transport.rstrip("/") in ("local", "local:"):
        raise Wrong("--transport (or MEMWATCH_TRANSPORT): give local:///a/folder or redis://host:6379/0")
    environ["MEMWATCH_TRANSPORT"] = transport
    service = options.get("--service")
    if service:
        if "/" in service or len(service) > 100 or not service.isprintable():
            raise Wrong('--service: give a short name without "/", e.g. api')
        environ["MEMWATCH_SERVICE"] = service
    if options.get("--key-file"):
        path = os.path.abspath(options["--key-file"])  # noqa: PTH100 - pathlib takes 5 ms to import
        if not os.access(path, os.R_OK):
            raise Wrong(f"--key-file: {path} cannot be read")
        if not os.path.isfile(path):  # noqa: PTH113 - pathlib takes 5 ms to import
            raise Wrong(f"--key-file: {path} is no regular file")
        environ["MEMWATCH_COMMAND_KEY_FILE"] = path
        environ.pop("MEMWATCH_COMMAND_KEY", None)
    before = environ.get("PYTHONPATH")
    others = [each for each in before.split(os.pathsep) if each != FOLDER] if before else []  # "" is the current folder
    environ["PYTHONPATH"] = os.pathsep.join([FOLDER, *others])


def _alone(switch: str) -> int:
    if switch == "--folder":
        sys.stdout.write(f"{FOLDER}\n")
        return 0
    from memwatch.launch import pth  # noqa: PLC0415 - only for these

    try:
        path = pth.install() if switch == "--install" else pth.uninstall()
    except OSError as error:
        return _failed(f"{switch}: {error.filename} cannot be changed: {error.strerror}", FAILED)
    sys.stdout.write(f"{path}\n")
    return 0


def _become(program: list[str], environ: MutableMapping[str, str]) -> int:
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):  # Python ignores them, and what is ignored stays so
        _signal.signal(number, _signal.SIG_DFL)
    try:
        _execute(program, environ)
    except FileNotFoundError:
        return _failed(f"{program[0]}: there is no such program", NOT_FOUND)
    except OSError as error:
        return _failed(f"{program[0]}: {error.strerror}", NOT_EXECUTABLE)


def _execute(program: list[str], environ: MutableMapping[str, str]) -> NoReturn:
    os.execvpe(program[0], program, environ)  # noqa: S606 - that is what it is for


def _failed(sentence: str, code: int) -> int:
    sys.stderr.write(f"memwatch: {sentence}\n")
    return code
