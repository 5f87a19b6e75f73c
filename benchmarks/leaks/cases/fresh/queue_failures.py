"""No leak: jobs that fail now and then; a job remembers its error, whose traceback has the frame that holds the job.

Reported as Bogdanp/dramatiq#351, and written after it.

Holder: cycles of job, error, traceback and frame, until the next collection.
"""

import random

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="failed jobs that wait for the collector",
    source="https://github.com/Bogdanp/dramatiq/pull/351",
)
_traffic = Traffic(321)
_random = random.Random(321)
_failed = 0


class PaymentError(Exception):
    """The bank said no."""


class Message:
    """A job as the queue gave it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.rows = [{"order": number, "row": row} for row in range(5 + number % 60)]
        self.error: Exception | None = None


class Worker:
    """Takes messages and does what they ask for."""

    def process_message(self, message: Message) -> None:
        """Do it; an error is kept for whoever asks for the result."""
        global _failed
        try:
            self._pay(message)
        except PaymentError as error:
            message.error = error
            _failed += 1

    def _pay(self, message: Message) -> None:
        accounts = {f"account {row['row']}": row for row in message.rows}
        if _random.random() < 0.6:
            raise PaymentError(len(accounts))


_worker = Worker()


def setup() -> None:
    global _failed
    _failed = 0


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        _worker.process_message(Message(i))
