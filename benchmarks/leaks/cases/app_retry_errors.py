"""Exceptions of failed jobs kept "to look at later", with their tracebacks and frames."""

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="exceptions kept with their tracebacks",
    leaks="objects",
    culprit=("traceback", "frame", "*.PaymentFailedError"),
)


class PaymentFailedError(Exception):
    """By the bank."""


FAILED: list[Exception] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 25 == 0:
        try:
            raise PaymentFailedError(i)
        except PaymentFailedError as error:
            FAILED.append(error)
