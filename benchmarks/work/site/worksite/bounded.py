"""What an application keeps within bounds, for the second scoring half: full caches, sessions that expire, a warm-up,
cycles. Each is called with the name of the job, and some know it.
"""

import collections
import functools
import gc
import random
import time
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.locmem import LocMemCache

from worksite.program import PROGRAM

_chance = random.Random(3)


class Quote:
    """One of a fixed number."""

    def __init__(self, key: int) -> None:
        self.key, self.parts = key, [key, key + 1]


class Login:
    """Of a visitor; ends after a fixed time."""

    def __init__(self, until: float) -> None:
        self.until, self.data = until, {"seen": [1, 2]}


class Plan:
    """How to do a job of one name."""

    def __init__(self, name: str) -> None:
        self.name, self.steps = name, [1, 2, 3]


class Node:
    """Of a tree that knows its parent."""

    def __init__(self, parent: "Node | None") -> None:
        self.parent = parent
        self.children: list[Node] = []
        if parent is not None:
            parent.children.append(self)


@functools.cache
def _quote(key: int) -> Quote:
    return Quote(key)


_QUOTES = 800


def _quotes(_name: str) -> None:
    for _ in range(2):
        _quote(_chance.randrange(_QUOTES))


LOCMEM = LocMemCache("bounded", {"OPTIONS": {"MAX_ENTRIES": 600, "CULL_FREQUENCY": 3}})


def _locmem(_name: str) -> None:
    LOCMEM.set(f"page {_chance.randrange(10**9)}", "<p>a page</p>" * 20)


SHELVES: dict[str, collections.OrderedDict[int, Quote]] = {}
_SHELF, _EVERY_FOURTH = 200, 4


def _shelves(name: str) -> None:
    if PROGRAM["names"].index(name) % _EVERY_FOURTH:
        return
    shelf = SHELVES.setdefault(name, collections.OrderedDict())
    for _ in range(4):
        key = _chance.randrange(10**9)
        shelf[key] = Quote(key)
    while len(shelf) > _SHELF:
        shelf.popitem(last=False)


WORDS: dict[str, str] = {}
_VOCABULARY = 5000


def _words(_name: str) -> None:
    for _ in range(20):
        word = f"word {_chance.randrange(_VOCABULARY)}"
        WORDS.setdefault(word, word.upper())


LOGINS: dict[int, Login] = {}
_LOGIN_S, _SWEEP_S = 30.0, 10.0
_swept = [time.monotonic()]


def _logins(_name: str) -> None:
    now = time.monotonic()
    LOGINS[_chance.randrange(10**9)] = Login(now + _LOGIN_S)
    if now > _swept[0] + _SWEEP_S:
        _swept[0] = now
        for key in [key for key, login in list(LOGINS.items()) if login.until < now]:
            LOGINS.pop(key, None)


CARTS: dict[int, Login] = {}
_VISITORS, _CART_S = 600, 45.0


def _carts(_name: str) -> None:
    now, visitor = time.monotonic(), _chance.randrange(_VISITORS)
    CARTS.pop(visitor, None)
    CARTS[visitor] = Login(now + _CART_S)  # the last one now
    for key, cart in list(CARTS.items()):
        if cart.until > now:
            break
        CARTS.pop(key, None)


TOKENS: collections.deque[Login] = collections.deque()
_TOKEN_S = 70.0


def _tokens(_name: str) -> None:
    now = time.monotonic()
    TOKENS.append(Login(now + _TOKEN_S))
    while TOKENS and TOKENS[0].until < now:
        TOKENS.popleft()


PLANS: dict[str, list[Plan]] = {}
_PLANS = 400


def _plans(name: str) -> None:
    plans = PLANS.setdefault(name, [])
    if len(plans) < _PLANS:
        plans.extend(Plan(name) for _ in range(4))


CATALOGUE: dict[int, Quote] = {}
_CATALOGUE = 6_000


def _catalogue(_name: str) -> None:
    begin = len(CATALOGUE)
    if begin < _CATALOGUE:
        CATALOGUE.update((key, Quote(key)) for key in range(begin, begin + 4))


LOADED: list[list[Quote]] = [[]]
_LOAD_EVERY_S, _LOADED = 20.0, 1_500
_loaded = [0.0]


def _reload(_name: str) -> None:
    now = time.monotonic()
    if not _loaded[0] or now > _loaded[0] + _LOAD_EVERY_S:
        _loaded[0] = now
        LOADED[0] = [Quote(key) for key in range(_LOADED)]


OUTBOX: list[Login] = []
_SENT_EVERY_S = 15.0
_sent = [time.monotonic()]


def _outbox(_name: str) -> None:
    now = time.monotonic()
    OUTBOX.append(Login(now))
    if now > _sent[0] + _SENT_EVERY_S:
        _sent[0] = now
        OUTBOX.clear()


def _rarely(_name: str) -> None:
    gc.set_threshold(50_000, 20, 100)


def _trees(name: str) -> None:
    root = Node(None)
    for _ in range(4 + 5 * (len(name) % 5)):
        Node(root)


def _recursion(name: str) -> None:
    def count(left: int) -> int:
        return count(left - 1) if left else 0  # its own cell holds it

    count(len(name) % 7)


def _refusals(_name: str) -> None:
    refused: Any = None
    try:
        raise LookupError(_chance.random())
    except LookupError as error:
        refused = error  # its traceback holds this frame, and the frame holds it
    refused.rows = [1, 2, 3]


BOUNDED: dict[str, Callable[[str], None]] = {
    "quotes": _quotes, "locmem": _locmem, "shelves": _shelves, "words": _words, "logins": _logins, "carts": _carts,
    "tokens": _tokens, "plans": _plans, "catalogue": _catalogue, "reload": _reload, "outbox": _outbox,
    "rarely": _rarely, "trees": _trees, "recursion": _recursion, "refusals": _refusals,
}  # fmt: skip
"""A cache of all that there is, a cache that is culled, a cache for each fourth name, words of a vocabulary; sessions
that end after 30 seconds, 45 after the last visit, 70; plans made by the first calls of each name, a catalogue loaded
by the first calls of all; lists replaced every 20 seconds, a list emptied every 15; rare collections; three kinds of
cycles."""

SIZES: dict[str, tuple[Callable[[], int], int]] = {
    "quotes": (lambda: _quote.cache_info().currsize, _QUOTES),
    "locmem": (lambda: len(LOCMEM._cache), 600),  # type: ignore[attr-defined]
    "shelves": (lambda: max(map(len, SHELVES.values())), _SHELF),
    "words": (lambda: len(WORDS), _VOCABULARY),
    "carts": (lambda: len(CARTS), _VISITORS),
    "plans": (lambda: max(map(len, PLANS.values())), _PLANS),
    "catalogue": (lambda: len(CATALOGUE), _CATALOGUE),
    "reload": (lambda: len(LOADED[0]), _LOADED),
}
"""How many of them there are, and how many there may be at most; the others are bounded by time."""
