"""A handler added for each job and never removed."""

import io
import logging

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="logging handlers added per job",
    leaks="objects",
    culprit=("logging.StreamHandler", "_io.StringIO"),
)


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 50 == 0:
        logging.getLogger("shop.jobs").addHandler(logging.StreamHandler(io.StringIO()))
