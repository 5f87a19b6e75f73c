"""What is kept, and by what: one function for each way to leak, called with what a job has at hand."""

import functools
import itertools
import math
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from worksite import background, hoards, holders, references, registries, retained
from worksite.program import PROGRAM

KEPT: list[Any] = []
LINES: list[Any] = []
REQUESTS: list[Any] = []
ROWS: list[Any] = []
STRINGS: dict[str, str] = {}
CLOSURES: list[Callable[[], object]] = []
TICKS: list[Any] = []
_number = itertools.count()


class Kept:
    """An object of the application."""

    def __init__(self) -> None:
        self.number, self.parts = next(_number), [1, 2, 3]


class Line(Kept):
    """Another one."""


class Tick(Kept):
    """What a thread or a timer keeps."""


class Price:
    """An amount and where it came from."""

    def __init__(self, amount: int) -> None:
        self.amount, self.parts = amount, [amount, amount // 2]


class Tariff:
    """What is asked for a price, for one visitor."""

    def __init__(self) -> None:
        self.rates = {"net": 100, "gross": 119}

    @functools.cache  # noqa: B019  the leak
    def price(self, amount: int) -> Price:
        """Kept for the next time; the tariff as well, since it is the first argument."""
        return Price(amount)


def _objects(_request: object, _rows: list[Any]) -> None:
    KEPT.append(Kept())


def _lines(_request: object, _rows: list[Any]) -> None:
    LINES.append(Line())


def _requests(request: object, _rows: list[Any]) -> None:
    REQUESTS.append(request)


def _rows(_request: object, rows: list[Any]) -> None:
    ROWS.extend(rows[:2])


def _strings(_request: object, _rows: list[Any]) -> None:
    for _ in range(10):
        number = next(_number)
        STRINGS[f"visitor {number}"] = f"a line about visitor {number} " * 4


def _cached(_request: object, _rows: list[Any]) -> None:
    Tariff().price(100)


def _closures(_request: object, _rows: list[Any]) -> None:
    visited = [next(_number)]

    def close() -> object:
        return visited[0]

    CLOSURES.append(close)


HOW = {
    **holders.HOW, **retained.HOW, **references.HOW, **registries.HOW, **hoards.HOW,
    "objects": _objects, "lines": _lines, "requests": _requests, "rows": _rows, "strings": _strings,
    "cached": _cached, "closures": _closures,
}  # fmt: skip


def wrapped(name: str, run: Callable[[object], str]) -> Callable[[object], str]:
    """The job as it is called: some are called by a wrapper that leaks."""
    wrappers = [leak for leak in PROGRAM["leaks"] if leak["how"] == "wrapper" and name in leak["names"]]
    return holders.audited(run) if wrappers else run


def leaks_of(name: str) -> Callable[[object, list[Any]], None]:
    """What the job of that name does with its request and rows when it ends."""
    planted = [
        (HOW[leak["how"]], itertools.count(1), leak["every"], leak["objects"], leak["times"].get(name, 1),
         leak["spell_s"])
        for leak in PROGRAM["leaks"]
        if name in leak["names"] and leak["how"] in HOW
    ]  # fmt: skip
    planted += [
        (holders.take_one, itertools.count(1), 1, (1, 1), 1, 0.0)
        for leak in PROGRAM["leaks"]
        if name == leak["taken_by"]
    ]
    chance = random.Random(name)

    def leak(request: object, rows: list[Any]) -> None:
        for how, calls, every, (least, most), times, spell_s in planted:
            if next(calls) % every == 0 and _is_spell(spell_s):
                for _ in range(times * chance.randint(least, most)):
                    how(request, rows)

    return leak


_BEGAN = time.monotonic()


def _is_spell(seconds: float) -> bool:
    """The first one, the third, the fifth, …"""
    return not seconds or (time.monotonic() - _BEGAN) // seconds % 2 == 0


_ticking: list[str] = []


def start_ticking() -> None:
    """With the first job of the process, and once."""
    if _ticking or not PROGRAM["ticking"]:
        return
    _ticking.append(PROGRAM["ticking"])
    if PROGRAM["ticking"] in background.START:
        background.START[PROGRAM["ticking"]]()
    elif PROGRAM["ticking"] == "timer":
        _on_time()
    else:
        threading.Thread(target=_run, args=THREADS[PROGRAM["ticking"]], daemon=True).start()


def _by_chance() -> tuple[int, float]:
    return _chance.randrange(10), _chance.expovariate(2.0)


_chance = random.Random(2)
THREADS: dict[str, tuple[Callable[[], tuple[int, float]], float]] = {
    "thread": (lambda: (1, 0.1), math.inf),
    "scheduler": (lambda: (40, 4.0), math.inf),
    "irregular": (_by_chance, math.inf),
    "import": (lambda: (80, 1.0), 100.0),
}
"""How many a thread keeps, and the seconds until it does so again; and after how many seconds it ends."""


def _run(step: Callable[[], tuple[int, float]], lasts_s: float) -> None:
    began = time.monotonic()
    while time.monotonic() < began + lasts_s:
        count, pause_s = step()
        TICKS.extend(Tick() for _ in range(count))
        time.sleep(pause_s)


def _on_time() -> None:
    TICKS.append(Tick())
    timer = threading.Timer(0.1, _on_time)
    timer.daemon = True
    timer.start()
