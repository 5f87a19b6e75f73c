"""A kernel for each wavelength in an unbounded cache; wavelengths are measured, and hardly ever equal.

Reported as tlambert03/microsim#97.
"""

from functools import cache
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="numpy arrays in functools.cache",
    leaks="native",
    culprit=("untracked", "numpy.ndarray", "*._kernel"),
    requires=("numpy==2.1.3",),
    source="https://github.com/tlambert03/microsim/issues/97",
)
_traffic = Traffic(97)
_numpy: Any = None


def setup() -> None:
    global _numpy
    import numpy

    _numpy = numpy


@cache
def _kernel(wavelength: float) -> Any:
    return _numpy.exp(-_numpy.square(_numpy.linspace(-1, 1, 300) * wavelength))


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        assert _kernel(1 + i / 80_000).max() <= 1
