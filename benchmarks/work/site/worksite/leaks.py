"""What is kept, and by what: one function for each way to leak, called with what a job has at hand."""

import functools
import itertools
import random
import threading
import time
from collections.abc import Callable
from typing import Any

from worksite import holders
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
    **holders.HOW,
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
        (HOW[leak["how"]], itertools.count(1), leak["every"], leak["objects"])
        for leak in PROGRAM["leaks"]
        if name in leak["names"] and leak["how"] in HOW
    ]
    planted += [
        (holders.take_one, itertools.count(1), 1, (1, 1)) for leak in PROGRAM["leaks"] if name == leak["taken_by"]
    ]
    chance = random.Random(name)

    def leak(request: object, rows: list[Any]) -> None:
        for how, calls, every, (least, most) in planted:
            if next(calls) % every == 0:
                for _ in range(chance.randint(least, most)):
                    how(request, rows)

    return leak


_ticking: list[str] = []


def start_ticking() -> None:
    """With the first job of the process, and once."""
    if _ticking or not PROGRAM["ticking"]:
        return
    _ticking.append(PROGRAM["ticking"])
    if PROGRAM["ticking"] == "timer":
        _on_time()
    else:
        count, pause_s = (1, 0.1) if PROGRAM["ticking"] == "thread" else (40, 4.0)
        threading.Thread(target=_run, args=(count, pause_s), daemon=True).start()


def _run(count: int, pause_s: float) -> None:
    while True:
        TICKS.extend(Tick() for _ in range(count))
        time.sleep(pause_s)


def _on_time() -> None:
    TICKS.append(Tick())
    timer = threading.Timer(0.1, _on_time)
    timer.daemon = True
    timer.start()
