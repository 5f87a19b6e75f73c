"""Prices in decimal steps, worked out under gmpy2's IEEE context.

Reported as gmpy2/gmpy2#515: the context is not let go when its block ends.

Holder: references to the context and its token that the extension forgot.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="contexts of gmpy2",
    leaks="objects",
    culprit=("*Token", "gmpy2.*"),
    leaking_release="gmpy2==2.2.0",
    fixed_release="gmpy2==2.3.2",
    source="https://github.com/gmpy2/gmpy2/issues/515",
)
_traffic = Traffic(212)
_gmpy2: Any = None


def setup() -> None:
    global _gmpy2
    import gmpy2

    _gmpy2 = gmpy2


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        with _gmpy2.ieee(64):
            assert _gmpy2.mpfr(i) / 4 >= 0
