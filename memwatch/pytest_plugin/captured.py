"""What pytest keeps of a test as it runs: with every call more, and no leak of the program.

Between two calls it is put back to what the test found at its first: captured logging, output and warnings, what
``monkeypatch`` has to undo, and recorded properties. These are attributes of pytest's own; where one is another than
expected, it is left alone.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from io import StringIO, TextIOWrapper
from typing import Any

import pytest

_LOGGING = "_pytest.logging"
_PATCHED = ("_setattr", "_setitem")

_Restore = Callable[[], None]


class Captured:
    """:meth:`restore` takes away what came since this was made."""

    def __init__(self, item: pytest.Item | None = None) -> None:
        self._kept: list[_Restore] = [*_logged(), *_printed(), *_warned(), *_of_item(item)]

    def restore(self) -> None:
        """For the next call."""
        for each in self._kept:
            each()


def _logged() -> Iterator[_Restore]:
    for handler in logging.getLogger().handlers:
        records, stream = getattr(handler, "records", None), getattr(handler, "stream", None)
        if type(handler).__module__ == _LOGGING and type(records) is list and type(stream) is StringIO:
            yield _log(handler, stream)


def _log(handler: Any, stream: StringIO) -> _Restore:
    number, position = len(handler.records), stream.tell()

    def restore() -> None:
        del handler.records[number:]
        _cut(handler.stream, position if handler.stream is stream else 0)  # caplog.clear() takes another

    return restore


def _printed() -> Iterator[_Restore]:
    """Of ``capsys``, and of all tests under ``--capture=sys``; files grow on the disk."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and type(stream).__module__ == "_pytest.capture" and _in_memory(stream):
            yield _output(stream)


def _in_memory(stream: TextIOWrapper) -> bool:
    return hasattr(stream.buffer, "getbuffer")


def _output(stream: TextIOWrapper) -> _Restore:
    position = stream.tell()
    return lambda: _cut(stream, position)


def _cut(stream: StringIO | TextIOWrapper, position: int) -> None:
    if stream.tell() > position:
        stream.seek(position)
        stream.truncate()


def _warned() -> Iterator[_Restore]:
    """Of pytest's own ``catch_warnings(record=True)`` around the test, and of ``recwarn``."""
    context = getattr(warnings, "_get_context", None)  # from 3.14 on, where warnings follow the context
    show = getattr(sys.modules["warnings"], "_showwarnmsg_impl", None)
    for log in (getattr(show, "__self__", None), getattr(context(), "log", None) if context is not None else None):
        if type(log) is list:
            yield _shortened(log)


def _shortened(kept: list[Any]) -> _Restore:
    number = len(kept)

    def restore() -> None:
        del kept[number:]

    return restore


def _of_item(item: pytest.Item | None) -> Iterator[_Restore]:
    properties = getattr(item, "user_properties", None)
    if type(properties) is list:
        yield _shortened(properties)
    for fixture in (getattr(item, "funcargs", None) or {}).values():
        if isinstance(fixture, pytest.MonkeyPatch) and all(type(getattr(fixture, n, None)) is list for n in _PATCHED):
            yield _unpatched(fixture)


def _unpatched(patch: pytest.MonkeyPatch) -> _Restore:
    """What the call patched is undone, and what fixtures have patched stays."""
    kept: Any = patch
    numbers = {name: len(getattr(kept, name)) for name in _PATCHED}

    def restore() -> None:
        newer: Any = pytest.MonkeyPatch()
        for name, number in numbers.items():
            getattr(newer, name).extend(getattr(kept, name)[number:])
            del getattr(kept, name)[number:]
        newer.undo()

    return restore
