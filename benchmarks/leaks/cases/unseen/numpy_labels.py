"""Columns of labels: an array of objects for each batch, filled with the name of the batch.

Reported as numpy/numpy#22798 of 1.24.0: ``fill`` keeps a reference to the value.

Holder: none; a reference that numpy never gives back.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="labels that filled arrays of objects",
    leaks="untracked",
    culprit=("*str",),
    leaking_release="numpy==1.24.0",
    fixed_release="numpy==1.24.1",
    source="https://github.com/numpy/numpy/pull/22798",
)
_traffic = Traffic(404)
_numpy: Any = None


def setup() -> None:
    global _numpy
    import numpy

    _numpy = numpy


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 4 == 0:
        labels = _numpy.empty(40, dtype=object)
        labels.fill(f"batch {i} of the warehouse's deliveries")
        assert labels[39] == labels[0]
