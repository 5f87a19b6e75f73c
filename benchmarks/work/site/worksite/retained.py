"""Still more ways to leak: defaults of functions, cells, class attributes, and registries of the libraries."""

import collections
import contextvars
import functools
import gc
import heapq
import itertools
import threading
import time
import uuid
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

from django.utils.functional import SimpleLazyObject

CHUNKS = threading.local()
FEEDS: dict[int, AsyncIterator[int]] = {}
HANDLED: list[Any] = []
LAZY: list[Any] = []
LISTENERS: list[Callable[[], int]] = []
LOCKS: dict[str, Any] = {}
LOST: list[Exception] = []
READERS: dict[str, Any] = {}
SEGMENTS: dict[int, set[int]] = {}
SENT: dict[str, Any] = {}
SPANS: contextvars.ContextVar[list[Any]] = contextvars.ContextVar("spans", default=[])  # noqa: B039  the leak
TICKETS: list[Any] = []
TIMELINE: collections.deque[tuple[float, str]] = collections.deque()
_number = itertools.count()


class _Numbered:
    def __init__(self) -> None:
        self.number, self.parts = next(_number), [1, 2, 3]


class Basket(_Numbered):
    """The shelf that is a function's default holds it."""


class Span(_Numbered):
    """The default of a context variable holds it."""


class Handled(_Numbered):
    """A handler of a signal keeps it at every job."""


class Handle(_Numbered):
    """Its own finalizer holds it."""

    def close(self) -> None:
        """Never called."""


class Reading(_Numbered):
    """One of two iterators waits for it."""


class LostError(Exception):
    """It is kept with its traceback."""


class Ticket:
    """Without a dict of its own."""

    __slots__ = ("number", "reader")

    def __init__(self) -> None:
        self.number, self.reader = next(_number), "reader"


class Watcher(_Numbered):
    """Whoever keeps its method keeps it."""

    def changed(self) -> int:
        """To be told."""
        return int(self.number)


class Board:
    """What is posted stays."""

    entries: ClassVar[list[dict[str, object]]] = []


class Gauge:
    """What is measured stays."""

    samples: ClassVar[dict[str, list[float]]] = {}


class Shelf:
    """Holds baskets."""

    def __init__(self) -> None:
        self.baskets: list[Basket] = []


class Letter:
    """To one reader."""

    def __init__(self, reader: str) -> None:
        self.reader = reader

    @functools.lru_cache(maxsize=None)  # noqa: B019, UP033  the leak
    def body(self, number: int) -> bytes:
        """Kept for the next time, with the letter."""
        return f"dear {self.reader}, your number is {number} ".encode() * 4


def _memory() -> tuple[Callable[[str], str], Callable[[], int]]:
    known: dict[str, str] = {}

    def look_up(key: str) -> str:
        return known.setdefault(key, key.upper() * 3)

    return look_up, lambda: len(known)


look_up, _known = _memory()
_read, _unread = itertools.tee(Reading() for _ in itertools.count())


@functools.lru_cache(maxsize=None)  # noqa: UP033  the leak
def _kinds(_number: int) -> Any:
    from django.contrib.contenttypes.models import ContentType

    kinds = ContentType.objects.order_by("pk")[:2]
    len(kinds)  # this fetches them
    return kinds


def _put(basket: Basket, shelf: Shelf = Shelf()) -> None:  # noqa: B008  the leak
    shelf.baskets.append(basket)


async def _feed(number: int) -> AsyncIterator[int]:
    yield number


def _dicts(_request: object, _rows: list[Any]) -> None:
    number = next(_number)
    Board.entries.append({"number": number, "lines": [number, number + 1], "by": f"reader {number}"})


def _users(_request: object, _rows: list[Any]) -> None:
    from django.contrib.auth.models import User

    name = f"reader {next(_number)}"
    READERS[name] = User(username=name, email=f"{name}@example.org")


def _querysets(_request: object, _rows: list[Any]) -> None:
    _kinds(next(_number))


def _defaults(_request: object, _rows: list[Any]) -> None:
    _put(Basket())


def _tracebacks(_request: object, _rows: list[Any]) -> None:
    try:
        raise LostError(next(_number))
    except LostError as error:
        LOST.append(error)
        raise


def _lazies(request: object, _rows: list[Any]) -> None:
    LAZY.append(SimpleLazyObject(lambda: str(request)))


def _locks(_request: object, _rows: list[Any]) -> None:
    LOCKS[f"article {next(_number)}"] = threading.RLock()


def _feeds(_request: object, _rows: list[Any]) -> None:
    number = next(_number)
    FEEDS[number] = _feed(number)


def _spans(_request: object, _rows: list[Any]) -> None:
    SPANS.get().append(Span())


def _timeline(_request: object, _rows: list[Any]) -> None:
    TIMELINE.append((time.monotonic(), f"event {next(_number)}"))


def _finalizers(_request: object, _rows: list[Any]) -> None:
    handle = Handle()
    weakref.finalize(handle, handle.close).atexit = False


def _samples(_request: object, _rows: list[Any]) -> None:
    Gauge.samples.setdefault("load", []).append(next(_number) + 0.25)


def _tickets(_request: object, _rows: list[Any]) -> None:
    number = next(_number)
    heapq.heappush(TICKETS, (number % 7, number, Ticket()))


def _chunks(_request: object, _rows: list[Any]) -> None:
    CHUNKS.__dict__.setdefault("chunks", []).append(f"{next(_number)} ".encode() * 150)


def _methods(_request: object, _rows: list[Any]) -> None:
    LISTENERS.append(Watcher().changed)


def _memo(_request: object, _rows: list[Any]) -> None:
    look_up(f"reader {next(_number)}")


def _promises(_request: object, _rows: list[Any]) -> None:
    from celery.result import AsyncResult

    number = uuid.uuid4().hex
    SENT[number] = AsyncResult(number)


def _sets(_request: object, _rows: list[Any]) -> None:
    number = next(_number)
    SEGMENTS[number] = {number, number + 1, number + 2}


def _tees(_request: object, _rows: list[Any]) -> None:
    next(_read)


def _letters(_request: object, _rows: list[Any]) -> None:
    number = next(_number)
    Letter(f"reader {number}").body(number)


def handle(**_: object) -> None:
    """With every job, whatever its name."""
    HANDLED.append(Handled())


HOW: dict[str, Callable[[object, list[Any]], None]] = {
    "dicts": _dicts, "users": _users, "querysets": _querysets, "defaults": _defaults, "tracebacks": _tracebacks,
    "lazies": _lazies, "locks": _locks, "feeds": _feeds, "spans": _spans, "timeline": _timeline,
    "finalizers": _finalizers, "samples": _samples, "tickets": _tickets, "chunks": _chunks, "methods": _methods,
    "memo": _memo, "promises": _promises, "sets": _sets, "tees": _tees, "letters": _letters,
}  # fmt: skip


def _alive(kind: type) -> int:
    return sum(type(each) is kind for each in gc.get_objects())


COUNTED: dict[str, Callable[[], int]] = {
    "dicts": lambda: len(Board.entries),
    "users": lambda: len(READERS),
    "querysets": lambda: _kinds.cache_info().currsize,
    "defaults": lambda: _alive(Basket),
    "tracebacks": lambda: len(LOST),
    "lazies": lambda: len(LAZY),
    "locks": lambda: len(LOCKS),
    "feeds": lambda: len(FEEDS),
    "spans": lambda: len(SPANS.get()),
    "timeline": lambda: len(TIMELINE),
    "finalizers": lambda: _alive(Handle),
    "samples": lambda: sum(map(len, Gauge.samples.values())),
    "tickets": lambda: len(TICKETS),
    "chunks": lambda: len(CHUNKS.__dict__.get("chunks", ())),
    "methods": lambda: len(LISTENERS),
    "memo": _known,
    "promises": lambda: len(SENT),
    "sets": lambda: len(SEGMENTS),
    "tees": lambda: _alive(Reading),
    "letters": lambda: Letter.body.cache_info().currsize,
}
"""How many are kept by now in this process (``chunks``: in this thread)."""
