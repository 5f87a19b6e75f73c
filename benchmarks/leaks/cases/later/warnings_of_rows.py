"""A driver that warns of each row it had to cut, with the row's number in the words; warnings go to the log.

Reported as python/cpython#97557.

Holder: ``__warningregistry__``, a dict of the module that warns, with tuples that the collector lets alone.
"""

import logging
import warnings

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="warnings that were shown once",
    leaks="untracked",
    culprit=("untracked", "tuple", "*__warningregistry__"),
    holder=("*__warningregistry__*",),
    source="https://github.com/python/cpython/issues/97557",
)
_traffic = Traffic(217)


def setup() -> None:
    logging.getLogger("py.warnings").addHandler(logging.NullHandler())
    logging.getLogger("py.warnings").propagate = False
    logging.captureWarnings(capture=True)
    warnings.simplefilter("default", RuntimeWarning)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 8 == 0:
        warnings.warn(f"Data truncated for column 'note' at row {i}", RuntimeWarning, stacklevel=1)
