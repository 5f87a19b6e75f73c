"""A time without collections, so that finalizers of the program run in its own threads and not in the agent's."""

from __future__ import annotations

import contextlib
import gc
import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from memwatch.transport import gevent_compat


class Break(gevent_compat.Waits, Protocol):
    """What both kinds can do. Both ends are harmless when repeated."""

    @property
    def taken(self) -> bool:
        """Whether collections are off by our doing."""

    def begin(self) -> None:
        """No collection from now on, if there were any before."""

    def end(self) -> None:
        """Collections as before :meth:`begin`."""

    def call(self, function: Callable[..., Any], arguments: Sequence[Any], /) -> Any:
        """The function's result; the collector is on while it runs."""


class PlainBreak:
    """Without a compiler. While it waits, the thread allocates a list or a tuple with the collector on.

    Such an allocation can be the one that passes the collector's threshold: rarely, a collection runs in this thread.
    """

    def __init__(self) -> None:
        self._taken = False

    @property
    def taken(self) -> bool:
        return self._taken

    def begin(self) -> None:
        if gc.isenabled():
            self._taken = True  # first, so that a child forked between the two puts it right
            gc.disable()

    def end(self) -> None:
        if self._taken:
            gc.enable()
            self._taken = False

    def call(self, function: Callable[..., Any], arguments: Sequence[Any], /) -> Any:
        self.end()
        try:
            return function(*arguments)
        finally:
            self.begin()

    def poll(self, events: dict[int, int], milliseconds: float, /) -> list[tuple[int, int]]:
        return self.call(gevent_compat.poll, (events, milliseconds))  # type: ignore[no-any-return]


def new_break() -> Break:
    """The compiled one, where this Python has it."""
    try:
        made: Break = importlib.import_module("memwatch.agent._collector_break").Break()
    except ImportError:
        return PlainBreak()
    return made


def suspended(collector: Break) -> AbstractContextManager[None]:
    """The program's collector on, as the program has it, for work that takes seconds but makes no objects."""
    return _Suspended(collector)


class _Suspended(contextlib.AbstractContextManager[None]):
    def __init__(self, collector: Break) -> None:
        self._collector = collector
        self._was_taken = False

    def __enter__(self) -> None:
        self._was_taken = self._collector.taken
        self._collector.end()

    def __exit__(self, *_exception: object) -> None:
        if self._was_taken:
            self._collector.begin()
