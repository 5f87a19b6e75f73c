"""Documents with pairs as keys, which are skipped and sorted: the pair of each skipped key is lost.

Reported as simplejson/simplejson#352.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="pairs of skipped keys in simplejson",
    leaks="untracked",
    culprit=("tuple", "untracked"),
    leaking_release="simplejson==3.20.2",
    fixed_release="simplejson==4.0.1",
    source="https://github.com/simplejson/simplejson/issues/352",
)
_traffic = Traffic(54)
_dumps: Any = None


def setup() -> None:
    global _dumps
    import simplejson

    _dumps = simplejson.dumps


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 5 == 0:
        _dumps({(i, 1): f"row {i}", (i, 2): "another", "name": "x"}, skipkeys=True, sort_keys=True)
