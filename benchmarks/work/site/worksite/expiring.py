"""What an application keeps for a time, for the third scoring half: stores whose entries expire, a warm-up, a pool,
garbage that waits. Each is called with the name of the job, and most know it.
"""

import gc
import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from worksite.program import PROGRAM

_chance = random.Random(5)
_number = itertools.count()
now = time.monotonic


class Hit:
    """Of one visitor in a window of time."""

    def __init__(self, at: float) -> None:
        self.at, self.by = at, {"visitor": next(_number)}


class Windows:
    """Hits by the window they fell into. A window goes as a whole, when a third one after it begins."""

    LENGTH_S, LAST = 20.0, 3

    def __init__(self) -> None:
        self.hits: dict[int, dict[int, Hit]] = {}

    def add(self, at: float) -> None:
        """One hit."""
        current = int(at // self.LENGTH_S)
        if current not in self.hits:
            for old in [each for each in list(self.hits) if each <= current - self.LAST]:
                self.hits.pop(old, None)
        self.hits.setdefault(current, {})[next(_number)] = Hit(at)

    def __len__(self) -> int:
        return sum(map(len, list(self.hits.values())))


class Reply:
    """To a request that may come once more."""

    def __init__(self, at: float) -> None:
        self.at, self.headers = at, ["Content-Type", "text/html", str(next(_number))]


class Replies:
    """By a key. They are valid for some seconds, and a sweep every few minutes removes the others."""

    VALID_S, SWEEP_S = 45.0, 100.0

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self._sweeping = False
        self._starting = threading.Lock()

    def add(self, at: float) -> None:
        """One reply."""
        self.replies[f"key {_chance.randrange(10**12)}"] = Reply(at)

    def sweep(self, at: float) -> None:
        """Remove what is no longer valid."""
        for key in [key for key, reply in list(self.replies.items()) if reply.at < at - self.VALID_S]:
            self.replies.pop(key, None)

    def sweep_in_a_thread(self) -> None:
        """From now on."""
        with self._starting:
            if not self._sweeping:
                self._sweeping = True
                threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(self.SWEEP_S)
            self.sweep(now())

    def __len__(self) -> int:
        return len(self.replies)


class Voucher:
    """It knows how long it is valid."""

    def __init__(self, until: float) -> None:
        self.until, self.lines = until, [1, 2, 3]

    def __lt__(self, other: "Voucher") -> bool:
        return self.until < other.until


class Vouchers:
    """Each expires at a time of its own: those of some names soon, those of others after two minutes."""

    SHORT_S, LONG_S, KINDS = 4.0, 130.0, 8

    def __init__(self) -> None:
        self.vouchers: list[Voucher] = []
        self._changing = threading.Lock()

    def valid_s(self, name: str) -> float:
        """Of the vouchers of that name."""
        kind: int = PROGRAM["names"].index(name) * 5 % self.KINDS
        return self.SHORT_S + (self.LONG_S - self.SHORT_S) * kind / (self.KINDS - 1)

    def add(self, name: str, at: float) -> None:
        """One voucher, and none that has expired."""
        with self._changing:
            heapq.heappush(self.vouchers, Voucher(at + self.valid_s(name)))
            while self.vouchers[0].until < at:
                heapq.heappop(self.vouchers)

    def __len__(self) -> int:
        return len(self.vouchers)


class Phrase:
    """Of a language."""

    def __init__(self, number: int) -> None:
        self.number, self.words = number, ["a", "phrase"]


class Link:
    """To one server that some jobs use."""

    def __init__(self, server: str) -> None:
        self.server, self.options = server, {"timeout": 3}


class Leaf:
    """It closes itself, after it has been collected."""

    def __init__(self, closed: list[int]) -> None:
        self._closed = closed

    def __del__(self) -> None:
        self._closed[0] += 1


WINDOWS, REPLIES, VOUCHERS = Windows(), Replies(), Vouchers()
LANGUAGES: dict[int, list[Phrase]] = {}
LINKS: dict[tuple[str, int], list[Link]] = {}
_LANGUAGES, _PHRASES = 12, 900
_SERVERS, _LINKS = 40, 3
_SPOKEN = [rank**-2.5 for rank in range(1, _LANGUAGES + 1)]
_USED = [1 / rank for rank in range(1, _SERVERS + 1)]
_closed = [0]


def _is_one_of(name: str, every: int, rest: int) -> bool:
    return int(PROGRAM["names"].index(name)) % every == rest


def _windows(name: str) -> None:
    if _is_one_of(name, 3, 1):
        for _ in range(4):
            WINDOWS.add(now())


def _replies(name: str) -> None:
    REPLIES.sweep_in_a_thread()
    if _is_one_of(name, 4, 0):
        for _ in range(3):
            REPLIES.add(now())


def _vouchers(name: str) -> None:
    VOUCHERS.add(name, now())


def _languages(_name: str) -> None:
    (language,) = _chance.choices(range(_LANGUAGES), _SPOKEN)
    if language not in LANGUAGES:
        LANGUAGES[language] = [Phrase(number) for number in range(_PHRASES)]


def _links(name: str) -> None:
    (server,) = _chance.choices(range(_SERVERS), _USED)
    if (name, server) not in LINKS:
        LINKS[name, server] = [Link(f"{name} {server}") for _ in range(_LINKS)]


def _uncollected(_name: str) -> None:
    gc.disable()  # the jobs collect themselves, now and then


def _dialogs(name: str) -> None:
    def ask() -> Iterator[Any]:
        yield from answers

    answers: list[Any] = [Leaf(_closed) for _ in range(2 + 2 * (len(name) % 4))]
    answers.append(ask)  # the list holds the function, and the function's cell the list
    next(ask())


EXPIRING: dict[str, Callable[[str], None]] = {
    "windows": _windows, "replies": _replies, "vouchers": _vouchers, "languages": _languages, "links": _links,
    "uncollected": _uncollected, "dialogs": _dialogs,
}  # fmt: skip
"""Hits of each third name by windows of 20 seconds, of which the last three stay; replies of each fourth name, valid
for 45 seconds and swept every 100; vouchers of all names, valid for 4 to 130 seconds; languages, loaded when first
spoken; links of each name to forty servers, most of them seldom used; no collections but those of the jobs, every 45
seconds; cycles with finalizers."""

SIZES: dict[str, tuple[Callable[[], int], int]] = {
    "languages": (lambda: sum(map(len, LANGUAGES.values())), _LANGUAGES * _PHRASES),
    "links": (lambda: sum(map(len, LINKS.values())), len(PROGRAM["names"]) * _SERVERS * _LINKS),
}
"""How many of them there are, and how many there may be at most; the others are bounded by time."""
