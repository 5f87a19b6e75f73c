"""A program that tracing slows down is let go of, and the server's own limit is known."""

from __future__ import annotations

import signal
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from memwatch.diagnosis.pace import Pace, server_limit_s


class Program:
    """Its clocks and its counter, by hand."""

    def __init__(self, limit_s: float | None = None) -> None:
        self.at = self.cpu = 0.0
        self.calls = 0
        self.pace = Pace(lambda: self.calls, limit_s=limit_s, clock=lambda: self.at, cpu=lambda: self.cpu)

    def go(self, seconds: float, *, calls: int, cpu: float) -> str | None:
        """Let time pass."""
        self.at += seconds
        self.calls += calls
        self.cpu += cpu
        return self.pace.too_slow()


def traced(*, limit_s: float | None = None, calls: int = 50) -> Program:
    program = Program(limit_s)
    program.go(5, calls=calls, cpu=0.5)
    program.pace.begin()
    return program


def test_a_program_that_keeps_up_is_traced_on_though_its_calls_cost_more() -> None:
    assert traced().go(5, calls=50, cpu=3.0) is None


def test_one_that_handles_half_as_many_calls_is_let_go_of() -> None:
    assert traced().go(5, calls=20, cpu=4.9) == "the program handled 20 calls in 5 s, 50 would have been usual"


def test_one_that_has_no_cpu_left_is_let_go_of_at_four_times_the_cpu() -> None:
    program = traced()
    assert program.go(1, calls=9, cpu=0.95) is None, "too few to tell"
    assert "times the CPU of before" in (program.go(4, calls=26, cpu=4.0) or "")


def test_tracing_stops_before_the_server_kills_its_worker() -> None:
    program = traced(limit_s=30, calls=1)
    assert program.go(9, calls=0, cpu=8) is None
    reason = program.go(2, calls=0, cpu=2)
    assert reason == "no call was handled for 11 s, and the server ends a worker after 30 s"


def test_where_no_call_was_seen_before_nothing_is_said() -> None:
    assert traced(calls=0).go(100, calls=0, cpu=100) is None


@pytest.fixture
def without_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server's module is loaded, whatever other tests have imported."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("gunicorn", "uwsgi"):
            monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def gunicorn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A worker of gunicorn, as far as it can be known by its signals."""
    monkeypatch.setitem(sys.modules, "gunicorn", types.ModuleType("gunicorn"))
    base = type("Worker", (), {"__module__": "gunicorn.workers.base", "handle_usr1": lambda *_: None})
    worker = type("ThreadWorker", (base,), {})()
    before = signal.getsignal(signal.SIGUSR1)
    yield worker
    signal.signal(signal.SIGUSR1, before)


def test_gunicorns_limit_is_that_of_its_worker_else_of_its_arguments(gunicorn: Any) -> None:
    assert server_limit_s(("gunicorn", "shop.wsgi"), {}) == 30
    assert server_limit_s(("gunicorn", "--timeout=90"), {}) == 90
    assert server_limit_s(("gunicorn", "-t", "45"), {"GUNICORN_CMD_ARGS": "--workers 2"}) == 45
    assert server_limit_s(("gunicorn",), {"GUNICORN_CMD_ARGS": "--timeout 20"}) == 20
    gunicorn.timeout = 60.0  # half of it, as the arbiter gives it
    signal.signal(signal.SIGUSR1, gunicorn.handle_usr1)
    assert server_limit_s(("gunicorn", "--timeout=90"), {}) == 120
    gunicorn.timeout = 0.0
    assert server_limit_s(("gunicorn",), {}) is None


@pytest.mark.usefixtures("without_servers")
def test_uwsgis_harakiri_is_known_and_other_servers_have_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert server_limit_s(("manage.py", "runserver"), {}) is None
    uwsgi: Any = types.ModuleType("uwsgi")
    uwsgi.opt = {"harakiri": b"20"}
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    assert server_limit_s((), {}) == 20
