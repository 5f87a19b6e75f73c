"""Clients that ask for pages, and a producer of tasks: at a steady pace, counting what fails."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import quantiles
from typing import Any


def percentile_99(seconds: list[float]) -> float:
    """In milliseconds; 0 of none."""
    return quantiles(seconds, n=100)[98] * 1e3 if len(seconds) > 1 else 0.0


class Clients:
    """Each keeps its connection as long as the server does, and asks again on a new one if that was closed."""

    def __init__(self, port: int, many: int, every_s: float) -> None:
        self._port, self._every_s = port, every_s
        self._leaving = threading.Event()
        self.took: list[tuple[float, float]] = []
        """Of each call that was answered: when it began, by ``time.monotonic``, and its seconds."""
        self.failures: list[str] = []
        self.asked_again = 0
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(many)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._leaving.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        due = time.monotonic() + number * self._every_s / len(self._threads)
        while not self._leaving.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._every_s, time.monotonic() - self._every_s)
            began, was_kept = time.monotonic(), connection.sock is not None
            try:
                connection.request("GET", "/page")
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failures.append(f"status {answer.status}")
                self.took.append((began, time.monotonic() - began))
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
                connection.close()
                self.asked_again += was_kept
                if not was_kept:
                    self.failures.append(type(error).__name__)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
                connection.close()
                self.failures.append(f"{type(error).__name__}: {error}")
        connection.close()


class Jobs:
    """Sends numbered tasks, and reads what they have written down."""

    def __init__(self, app: Any, folder: Path, queue: str, every_s: float) -> None:
        self._app, self._file, self._queue, self._every_s = app, folder / f"jobs-{queue}", queue, every_s
        self._leaving = threading.Event()
        self.sent = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._leaving.set()
        self._thread.join(60)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._leaving.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._every_s, time.monotonic() - self._every_s)
            self._app.send_task("leaky.job", args=(self.sent, time.time()), queue=self._queue)
            self.sent += 1

    def wait_until_done(self, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline and len(self.runs()) < self.sent:
            time.sleep(0.2)
        time.sleep(2)  # one that runs twice has its time

    def runs(self) -> Counter[int]:
        """How often each number ran."""
        return Counter(int(line.split()[0]) for line in self._lines())

    def waited(self, until: float) -> list[float]:
        """Seconds from sending to starting, of those that started before ``until``, seconds since the epoch."""
        started = (line.split() for line in self._lines())
        return [float(waited) for _number, _pid, waited, at in started if float(at) <= until]

    def _lines(self) -> list[str]:
        return self._file.read_text().splitlines() if self._file.exists() else []
