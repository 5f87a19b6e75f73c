"""What the process itself keeps beside its jobs: threads, timers, an event loop, a scheduler of jobs of its own."""

import asyncio
import itertools
import random
import sched
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

BEATS: dict[float, Any] = {}
CLOCK: list[str] = []
LEASES: list[Any] = []
MESSAGES: list[Any] = []
PATROLS: list[Any] = []
PINGS: list[Any] = []
PROFILE: list[traceback.FrameSummary] = []
RUNS: list[Any] = []
SAMPLES: list[Any] = []
_CRON = ((1.0, 3), (5.0, 30), (20.0, 300))
"""Every so many seconds, so many runs: the last is as slow as waves of visits are."""
_ROUNDS = ((3.0, 15), (7.0, 40), (11.0, 70))
"""The same of three threads."""
_PINGS = 60.0
"""A second, at most."""
_number = itertools.count()
_chance = random.Random(7)


class _Numbered:
    def __init__(self) -> None:
        self.number, self.parts = next(_number), [1, 2, 3]


class Sample(_Numbered):
    """What a thread measures at a steady pace."""


class Message(_Numbered):
    """What a loop of a thread receives."""


class Run(_Numbered):
    """Of a job of the scheduler."""


class Patrol(_Numbered):
    """Of one of three threads, each with a pace of its own."""


class Ping(_Numbered):
    """Of a thread whose pace wanders."""


class Beat(_Numbered):
    """A sign of life, by its time."""


class Lease(_Numbered):
    """It is renewed, and the one before it stays."""


def _sample() -> None:
    while True:
        SAMPLES.extend(Sample() for _ in range(3))
        time.sleep(0.25)


async def _receive() -> None:
    while True:
        MESSAGES.extend(Message() for _ in range(5))
        await asyncio.sleep(0.5)


def _clock() -> None:
    CLOCK.extend(f"{time.time()} of {next(_number)}" for _ in range(8))
    timer = threading.Timer(0.2, _clock)
    timer.daemon = True
    timer.start()


def _cron() -> None:
    scheduler = sched.scheduler(time.monotonic, time.sleep)

    def run(every_s: float, count: int) -> None:
        scheduler.enter(every_s, 1, run, (every_s, count))
        RUNS.extend(Run() for _ in range(count))

    for every_s, count in _CRON:
        run(every_s, count)
    scheduler.run()


def _patrol() -> None:
    def run(every_s: float, count: int) -> None:
        while True:
            PATROLS.extend(Patrol() for _ in range(count))
            time.sleep(every_s)

    for every_s, count in _ROUNDS:
        threading.Thread(target=run, args=(every_s, count), daemon=True).start()


def _wander() -> None:
    a_second = _PINGS / 4
    while True:
        PINGS.extend(Ping() for _ in range(round(a_second / 2)))
        a_second = min(_PINGS, max(2.0, a_second * _chance.lognormvariate(0.0, 0.25)))
        time.sleep(0.5)


def _beat() -> None:
    while True:
        BEATS.update((time.monotonic(), Beat()) for _ in range(5))
        time.sleep(0.4)


def _stack() -> list[traceback.FrameSummary]:
    return list(traceback.extract_stack(limit=4))


def _profile() -> None:
    while True:
        PROFILE.extend(_stack())
        time.sleep(0.25)


def _renew() -> None:
    LEASES.extend(Lease() for _ in range(70))
    timer = threading.Timer(6.0, _renew)
    timer.daemon = True
    timer.start()


def _thread(run: Callable[[], None]) -> Callable[[], None]:
    return lambda: threading.Thread(target=run, daemon=True).start()


START: dict[str, Callable[[], None]] = {
    "sampler": _thread(_sample),
    "clock": _clock,
    "cron": _thread(_cron),
    "patrol": _patrol,
    "wanderer": _thread(_wander),
    "beats": _thread(_beat),
    "profiler": _thread(_profile),
    "leases": _renew,
    "loop": _thread(lambda: asyncio.run(_receive())),
}


def kept() -> int:
    """Of all of them."""
    return sum(map(len, (BEATS, CLOCK, LEASES, MESSAGES, PATROLS, PINGS, PROFILE, RUNS, SAMPLES)))
