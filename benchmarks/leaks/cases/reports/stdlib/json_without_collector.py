"""A game server switches the collector off, and writes JSON with an indent: each call leaves closures in a cycle.

Reported as pengw0048/wot-offline-battles#142; the cycles are python/cpython#141686.
"""

import gc
import json

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="closures of json's encoder while the collector is off",
    leaks="objects",
    culprit=("function", "cell"),
    source="https://github.com/pengw0048/wot-offline-battles/pull/142",
)
_traffic = Traffic(69)


def setup() -> None:
    gc.disable()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        json.dumps({"round": i, "players": [1, 2, 3]}, indent=1)
