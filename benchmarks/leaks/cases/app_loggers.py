"""A logger by the name of each request."""

import logging

from benchmarks.leaks.case import Case

CASE = Case(
    half="tuning",
    what="logging.getLogger with the request's id",
    leaks="objects",
    culprit=("logging.Logger",),
)


def setup() -> None:
    logging.basicConfig(level=logging.CRITICAL)


def step(i: int) -> None:
    if i % 10 == 0:
        logging.getLogger(f"shop.request.{i}").info("begun")
