"""No leak: a dry run, in which each job's mails are caught by ``mock.patch.object``; the mocks are cycles.

Reported as python/cpython#133423: what was handed to the mock stays until the collector comes by.

Holder: nothing; garbage of mocks, with the mails.
"""

from unittest import mock

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="mocks that wait for the collector",
    source="https://github.com/python/cpython/issues/133423",
)
_traffic = Traffic(234)


class Mailer:
    """Sends mail."""

    def send(self, text: str) -> int:
        raise NotImplementedError(text)


_mailer = Mailer()


def setup() -> None:
    pass


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 80 == 0:
        with mock.patch.object(_mailer, "send", return_value=250) as send:
            assert _mailer.send(f"Dear customer {i}, " * 200) == 250
        send.assert_called_once()
