"""The system's own blocking calls, also where gevent has replaced them.

The agent runs in a native thread. gevent's replacements would start an event loop in it; and what blocks natively
there releases the interpreter lock, so it does not stop the host's greenlets. Resolved at each call, because gevent
may patch after this module was imported (gunicorn ``--preload``).
"""

from __future__ import annotations

import importlib
import select
import socket
import sys
from typing import Any, Protocol

from memwatch.sampling.atomic import native_lock


def original(module: str, name: str) -> Any:
    """``module.name`` as the standard library has it."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None:
        return monkey.get_original(module, name)
    return getattr(importlib.import_module(module), name)


def is_patched() -> bool:
    """Whether gevent has replaced the socket module."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


class HasFileno(Protocol):
    """A socket or an open file."""

    def fileno(self) -> int:
        """Its number."""


class Waits(Protocol):
    """How a thread waits that wants something done around each of its waits."""

    def poll(self, events: dict[int, int], milliseconds: float, /) -> list[tuple[int, int]]:
        """As :func:`poll`."""


waits_of: dict[int, Waits] = {}
"""By the thread's native identifier."""


def poll(events: dict[int, int], milliseconds: float) -> list[tuple[int, int]]:
    """What can be done at once or within the time, as ``(file number, events)``. Raises :class:`OSError`."""
    made: select.poll = original("select", "poll")()
    for number, wanted in events.items():
        made.register(number, wanted)
    return made.poll(milliseconds)


class Poll:
    """A poll object. (Not ``select.select``: it fails for file numbers from 1024 on.)"""

    def __init__(self) -> None:
        self._events: dict[int, int] = {}

    def register(self, file: int | HasFileno, events: int) -> None:
        """Wait for these events of a file, too."""
        self._events[file if isinstance(file, int) else file.fileno()] = events

    def poll(self, timeout_ms: float) -> list[tuple[int, int]]:
        """As :func:`poll`."""
        waits = waits_of.get(original("_thread", "get_ident")())
        return poll(self._events, timeout_ms) if waits is None else waits.poll(self._events, timeout_ms)


def new_poll() -> Poll:
    """A poll object that blocks natively."""
    return Poll()


new_lock = native_lock
"""A lock between native threads."""


def new_socket(family: int, kind: int, *, fileno: int | None = None) -> socket.socket:
    """A blocking socket; ``fileno`` adopts an open one."""
    made: socket.socket = original("socket", "socket")(family, kind, 0, fileno)
    return made


def accept(listener: socket.socket) -> socket.socket:
    """``listener.accept()``, whose own result would be gevent's kind of socket."""
    fileno, _ = listener._accept()  # type: ignore[attr-defined]
    return new_socket(listener.family, listener.type, fileno=fileno)


def sleep(seconds: float) -> None:
    """Block this native thread."""
    original("time", "sleep")(seconds)
