"""Undefined functions named by their input: sympy keeps a class for each.

Reported as sympy/sympy#24581.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="classes of undefined functions in sympy",
    leaks="objects",
    culprit=("sympy.*", "type", "set"),
    requires=("sympy==1.11.1",),
    source="https://github.com/sympy/sympy/issues/24581",
)
_traffic = Traffic(30)
_sympy: Any = None


def setup() -> None:
    global _sympy
    import sympy

    _sympy = sympy


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        _sympy.Function(f"price_{i}")
