"""Whether the program keeps its pace while its allocations are traced, and how long its server lets a request take."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MethodType
from typing import Any

from memwatch.diagnosis.context import Host
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap import introspection
from memwatch.sampling.type_names import type_name

SLOWEST = 4.0
"""Times the CPU of a call before, above which tracing ends; only where the program has no CPU to spare for it."""
LEAST_RATE = 0.5
"""Least share of the earlier calls per second."""
LEAST_CALLS = 10
"""Expected or handled, before a rate says anything."""
_FULL = 0.8
"""Share of a core in use: below it the program has CPU to spare."""
BEFORE_S = 5.0
"""For which the program is looked at before it is traced."""
_POLL_S = 0.2
_GUNICORN_S = 30.0
_self_of = vars(MethodType)["__self__"].__get__


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """The clocks and the counter at one time."""

    at: float
    cpu_s: float
    calls: int


class Pace:
    """Compares calls per second, and CPU per call, with those of a time before."""

    def __init__(
        self,
        calls: Callable[[], int],
        *,
        limit_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._calls, self._clock, self._cpu, self._limit_s = calls, clock, cpu, limit_s
        self._first = self._now()
        self._before: tuple[float, float] | None = None
        self.expects_calls = False
        self._since = self._first

    def _now(self) -> Moment:
        return Moment(self._clock(), self._cpu(), self._calls())

    def look_before(self, meter: Meter) -> Iterator[float]:
        """Look for some seconds at a program that handles calls, before it is slowed down. Yields seconds to wait."""
        until = meter.elapsed_s + BEFORE_S
        while self.expects_calls and meter.elapsed_s < until:
            yield _POLL_S

    def begin(self) -> None:
        """From now on it is traced; what was before the first time is what it is compared with."""
        now = self._now()
        calls, seconds = now.calls - self._first.calls, now.at - self._first.at
        if self._before is None and calls > 0 and seconds > 0:
            self._before = calls / seconds, (now.cpu_s - self._first.cpu_s) / calls
        self._since = now

    def too_slow(self) -> str | None:
        """Why tracing has to end, as a part of a sentence; ``None`` while the program keeps its pace."""
        if self._before is None:
            return None
        rate, cpu_s = self._before
        now = self._now()
        seconds, calls = now.at - self._since.at, now.calls - self._since.calls
        expected = rate * seconds
        if self._limit_s is not None and not calls and seconds > self._limit_s / 3 and expected >= 1:
            return f"no call was handled for {seconds:.0f} s, and the server ends a worker after {self._limit_s:.0f} s"
        if expected >= LEAST_CALLS and calls < LEAST_RATE * expected:
            return f"the program handled {calls} calls in {seconds:.0f} s, {expected:.0f} would have been usual"
        used = now.cpu_s - self._since.cpu_s
        if calls >= LEAST_CALLS and used > _FULL * seconds and used / calls > SLOWEST * cpu_s:
            return f"a call took {used / calls / cpu_s:.1f} times the CPU of before, {SLOWEST:g} are allowed"
        return None


def pace_of(host: Host) -> Pace:
    """The pace of the requests and tasks that the process handles."""
    found = Pace(
        lambda: (host.requests_handled() or 0) + (host.tasks_handled() or 0), limit_s=server_limit_s(host.arguments)
    )
    found.expects_calls = host.requests_handled() is not None or host.tasks_handled() is not None
    return found


def server_limit_s(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> float | None:
    """Seconds after which the server kills a worker whose request is not done; ``None``: it does not, or not known."""
    uwsgi = getattr(sys.modules.get("uwsgi"), "opt", None)
    if type(uwsgi) is dict:
        return _number(dict.get(uwsgi, "harakiri", dict.get(uwsgi, b"harakiri")))
    if not any(name == "gunicorn" or name.startswith("gunicorn.") for name in list(sys.modules)):
        return None
    found = _of_worker()
    if found is not None:
        return found or None  # 0: it never does
    words = [*environment.get("GUNICORN_CMD_ARGS", "").split(), *arguments]
    for number, word in enumerate(words):
        name, _, value = word.partition("=")
        if name in ("-t", "--timeout"):
            return _number(value or " ".join(words[number + 1 : number + 2])) or None
    return _GUNICORN_S


def _of_worker() -> float | None:
    """The time limit of gunicorn's worker."""
    half = introspection.attribute(gunicorn_worker(), "timeout")
    return 2.0 * half if type(half) in (int, float) else None


def gunicorn_worker() -> Any:
    """Gunicorn's worker object of this process, whose methods handle the process's signals; ``None``: no such."""
    for number in (signal.SIGUSR1, signal.SIGABRT):
        handler = signal.getsignal(number)
        worker = _self_of(handler) if type(handler) is MethodType else None
        if any(type_name(of) == "gunicorn.workers.base.Worker" for of in introspection.mro_of(type(worker))):
            return worker
    return None


def _number(value: Any) -> float | None:
    try:
        return float(value) if type(value) in (int, float, str, bytes) else None
    except ValueError:
        return None
