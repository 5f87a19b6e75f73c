"""The agent's thread: native, and out of the way on request."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest

from memwatch.agent.thread import THREAD_NAME, NativeThread
from tests.waiting import until


def names() -> list[str]:
    found = []
    for task in Path("/proc/self/task").iterdir():
        try:
            found.append((task / "comm").read_text().strip())
        except OSError:
            continue
    return found


class Waiting:
    """A thread that does nothing but wait."""

    def __init__(self) -> None:
        self.rounds = 0
        self.thread = NativeThread(self.work, wake=lambda: None)

    def work(self) -> None:
        while not self.thread.leaving:
            self.rounds += 1
            self.thread.sleep(60)


def test_a_paused_thread_is_gone_and_comes_back() -> None:
    waiting = Waiting()
    waiting.thread.start()
    until(lambda: names().count(THREAD_NAME) == 1)
    for _ in range(50):
        assert waiting.thread.pause(1)
        assert THREAD_NAME not in names(), "the system's thread has ended too"
        waiting.thread.resume()
    until(lambda: names().count(THREAD_NAME) == 1)
    assert waiting.thread.stop(1)
    until(lambda: THREAD_NAME not in names())


def test_a_pause_within_a_pause_ends_with_the_outer_one() -> None:
    waiting = Waiting()
    waiting.thread.start()
    waiting.thread.pause(1)
    waiting.thread.pause(1)
    waiting.thread.resume()
    assert THREAD_NAME not in names()
    waiting.thread.resume()
    until(lambda: THREAD_NAME in names())
    waiting.thread.stop(1)


def test_a_thread_amid_its_work_delays_a_pause_by_no_more_than_asked_and_goes_on() -> None:
    finish = threading.Event()
    done: list[float] = []

    def work() -> None:
        finish.wait(10)
        done.append(time.monotonic())
        thread.sleep(60)

    thread = NativeThread(work, wake=lambda: None)
    thread.start()
    began = time.monotonic()
    assert thread.pause(0.05)
    assert time.monotonic() - began < 0.5
    thread.resume()
    finish.set()
    until(lambda: len(done) > 0)
    thread.stop(1)


def test_a_stopped_thread_does_not_come_back() -> None:
    waiting = Waiting()
    waiting.thread.start()
    waiting.thread.pause(1)
    waiting.thread.stop(1)
    waiting.thread.resume()
    assert THREAD_NAME not in names()


def test_signals_are_left_to_the_hosts_threads() -> None:
    blocked: list[set[signal.Signals]] = []

    def work() -> None:
        blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))  # type: ignore[arg-type]
        thread.stopping = True

    thread = NativeThread(work, wake=lambda: None)
    thread.start()
    until(lambda: bool(blocked))
    assert {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGUSR1} <= blocked[0]
    assert signal.SIGSEGV not in blocked[0]


def test_a_process_without_room_for_a_thread_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("_thread.start_new_thread", refuse)
    waiting = Waiting()
    with pytest.raises(RuntimeError):
        waiting.thread.start()
    assert waiting.thread.stop(0)
