"""A function that annotated-logger annotates, called in each job.

Reported as github/annotated-logger#83 of 1.2.4: each call asks for a logger with a name of its own.

Holder: ``logging.Manager.loggerDict`` of the root logger's manager, a dict by name.
"""

import logging
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="loggers of annotated calls",
    leaks="objects",
    culprit=("logging.*", "*Logger", "*.loggerDict", "*AnnotatedFilter", "*AnnotatedAdapter"),
    holder=("*loggerDict*",),
    leaking_release="annotated-logger==1.2.4",
    fixed_release="annotated-logger==1.3.0",
    source="https://github.com/github/annotated-logger/pull/83",
)
_traffic = Traffic(305)
_priced: Any = None


def setup() -> None:
    global _priced
    from annotated_logger import AnnotatedLogger

    annotate = AnnotatedLogger(name="shop", config=False, log_level=logging.ERROR).annotate_logs

    @annotate(_typing_requested=True)  # type: ignore[untyped-decorator]
    def priced(annotated_logger: Any, number: int) -> int:
        annotated_logger.annotate(number=number)
        return number * 3

    _priced = priced


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 50 == 0:
        assert _priced(i) == i * 3
