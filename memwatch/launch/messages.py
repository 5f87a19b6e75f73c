"""What ``memwatch run`` has to say: one line on the standard error of the program, never more."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

RUN = "MEMWATCH_RUN"
"""Of the first program that is watched, for its children: its pid, and which file its standard error is."""


def mark(environ: MutableMapping[str, str]) -> None:
    """Note in ``environ`` that this process becomes the program."""
    try:
        own = os.fstat(2)
    except OSError:  # closed: nothing can be said
        environ[RUN] = f"{os.getpid()}:0:0"
    else:
        environ[RUN] = f"{os.getpid()}:{own.st_dev}:{own.st_ino}"


def mark_first(environ: MutableMapping[str, str]) -> None:
    """The same for a program that ``memwatch run`` did not start, unless it is a child of one."""
    if RUN not in environ:
        mark(environ)


def may_say(environ: Mapping[str, str]) -> bool:
    """Whether the standard error is still that of the program: not one that a program reads from its child."""
    noted = environ.get(RUN, "").split(":")[1:]
    try:
        own = os.fstat(2)
    except OSError:
        return False
    return noted in ([], [str(own.st_dev), str(own.st_ino)])


def say(sentence: str, environ: Mapping[str, str] = os.environ) -> None:
    """Write one line. Nothing that goes wrong is raised."""
    if may_say(environ):
        line = " ".join(sentence.split())[:500]
        try:
            os.write(2, f"memwatch: {line}\n".encode(errors="backslashreplace"))
        except OSError:
            return
