"""No leak: formulas that analysts type, evaluated by numexpr, which keeps the last 256 of them compiled.

Reported as pydata/numexpr#12, of a time when the cache had no bound.

Holder: ``numexpr.necompiler._numexpr_cache`` and ``_names_cache``, full after a third of the
run, and replaced from then on.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="formulas in numexpr's caches of 256",
    requires=("numexpr==2.10.1", "numpy==2.1.3"),
    source="https://github.com/pydata/numexpr/issues/12",
)
_traffic = Traffic(231)
_evaluate: Any = None
_values: dict[str, Any] = {}


def setup() -> None:
    global _evaluate
    import numexpr
    import numpy

    numexpr.set_num_threads(1)
    _evaluate = numexpr.evaluate
    _values.update(price=numpy.arange(50.0), weight=numpy.ones(50))


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        assert len(_evaluate(f"price * {i}.5 + weight", local_dict=_values)) == 50
