"""A server with a thread for each request, which keeps the threads in order to wait for them at its end.

Reported as python/cpython#81374 of ``socketserver.ThreadingMixIn``, and written after it.

Holder: ``ThreadingServer._threads``, a list of the server.
"""

import threading
from collections.abc import Callable

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="threads that have ended",
    leaks="objects",
    culprit=("*Thread", "*Event", "*Condition", "*._threads", "*ThreadingServer"),
    holder=("*ThreadingServer*", "*._threads*", "*_server*"),
    source="https://github.com/python/cpython/issues/81374",
)
_traffic = Traffic(311)


class ThreadingServer:
    """Answers each request in a thread of its own."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def process_request(self, answer: Callable[[int], None], request: int) -> threading.Thread:
        """Start to answer it."""
        thread = threading.Thread(target=answer, args=(request,))
        self._threads.append(thread)
        thread.start()
        return thread

    def server_close(self) -> None:
        """Wait for what is under way."""
        for thread in self._threads:
            thread.join()


_server = ThreadingServer()
_answers: dict[int, int] = {}


def _answer(request: int) -> None:
    _answers[request % 50] = request


def setup() -> None:
    _answers.clear()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        _server.process_request(_answer, i).join()
        assert _answers[i % 50] == i
