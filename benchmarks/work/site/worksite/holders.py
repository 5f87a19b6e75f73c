"""More ways to leak: attributes, receivers, registries, wrappers, loggers. As in ``leaks``, a function for each."""

import collections
import concurrent.futures
import functools
import itertools
import logging
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.dispatch import Signal

AUDITS: list[Any] = []
BY_UUID: dict[uuid.UUID, str] = {}
FORMS: list[type] = []
HOOKS: list[Callable[[], object]] = []
PENDING: set[Any] = set()
QUEUE: collections.deque[Any] = collections.deque()
REFUSED: list[Exception] = []
RESULTS: dict[str, Any] = {}
STREAMS: list[Iterator[int]] = []
UPLOADS: collections.deque[bytearray] = collections.deque()
LOCAL = threading.local()
_number = itertools.count()


class _Numbered:
    def __init__(self) -> None:
        self.number, self.parts = next(_number), [1, 2, 3]


class Visit(_Numbered):
    """An attribute of the meter holds it."""


class Event(_Numbered):
    """A receiver of a signal holds it."""


class Order(_Numbered):
    """It waits in a queue for somebody to take it."""


class Result(_Numbered):
    """Of a job that has ended."""


class Audit(_Numbered):
    """What a wrapper notes before and after a call."""


class Document(_Numbered):
    """A key that its own value holds."""


class Note(_Numbered):
    """Of a document."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self.document = document


class Entry(NamedTuple):
    """A thread holds it."""

    number: int
    parts: list[int]


class Meter:
    """One for the process; its attributes come with the first use."""

    def add(self, attribute: str, *values: object) -> None:
        """To a list that is never emptied."""
        self.__dict__.setdefault(attribute, []).extend(values)


class FormMeta(type):
    """Makes classes of forms."""


class RefusedError(Exception):
    """A job did not get what it needed."""


METER = Meter()
NOTES: weakref.WeakKeyDictionary[Document, Note] = weakref.WeakKeyDictionary()
finished = Signal()


def _listen() -> None:
    events: list[Event] = []

    def receive(sender: object, **_: object) -> None:
        events.append(Event())

    finished.connect(receive, weak=False)


_listen()


def _singleton(_request: object, _rows: list[Any]) -> None:
    METER.add("visits", Visit())


def _floats(_request: object, _rows: list[Any]) -> None:
    METER.add("timings", *(next(_number) + 0.5 for _ in range(20)))


def _receiver(_request: object, _rows: list[Any]) -> None:
    finished.send(sender=None)


def _uuids(_request: object, _rows: list[Any]) -> None:
    BY_UUID[uuid.uuid4()] = f"a line about visitor {next(_number)} " * 4


def _bytearrays(_request: object, _rows: list[Any]) -> None:
    UPLOADS.append(bytearray(3000))


def _weak(_request: object, _rows: list[Any]) -> None:
    document = Document()
    NOTES[document] = Note(document)


def _results(_request: object, _rows: list[Any]) -> None:
    RESULTS[uuid.uuid4().hex] = Result()


def _errors(_request: object, _rows: list[Any]) -> None:
    try:
        raise RefusedError(next(_number))
    except RefusedError as error:
        REFUSED.append(error)
        raise


def _streams(_request: object, _rows: list[Any]) -> None:
    stream = (number for number in range(next(_number), 10**9))
    next(stream)
    STREAMS.append(stream)


def _local(_request: object, _rows: list[Any]) -> None:
    LOCAL.__dict__.setdefault("entries", []).append(Entry(next(_number), [1, 2, 3]))


def _loggers(_request: object, _rows: list[Any]) -> None:
    logging.getLogger(f"visitor.{next(_number)}")


def _forms(_request: object, _rows: list[Any]) -> None:
    FORMS.append(FormMeta("Form", (), {"number": next(_number)}))


def _futures(_request: object, _rows: list[Any]) -> None:
    PENDING.add(concurrent.futures.Future())


def _callbacks(_request: object, _rows: list[Any]) -> None:
    HOOKS.append(functools.partial(str, next(_number)))


def _queued(_request: object, _rows: list[Any]) -> None:
    QUEUE.append(Order())


def take_one(_request: object, _rows: list[Any]) -> None:
    """From the queue, where there is one."""
    if QUEUE:
        QUEUE.popleft()


def audited(run: Callable[[object], str]) -> Callable[[object], str]:
    """The job within a wrapper that keeps what it notes."""

    def call(request: object) -> str:
        audit = Audit()
        try:
            return run(request)
        finally:
            AUDITS.append(audit)

    return call


HOW: dict[str, Callable[[object, list[Any]], None]] = {
    "singleton": _singleton, "floats": _floats, "receiver": _receiver, "uuids": _uuids, "bytearrays": _bytearrays,
    "weak": _weak, "results": _results, "errors": _errors, "streams": _streams, "local": _local, "loggers": _loggers,
    "forms": _forms, "futures": _futures, "callbacks": _callbacks, "queued": _queued,
}  # fmt: skip
