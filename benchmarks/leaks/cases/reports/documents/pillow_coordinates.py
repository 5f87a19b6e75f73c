"""Pixels read by coordinates given as decimal numbers.

Reported as python-pillow/Pillow#9487: what a coordinate is converted to is never released.
"""

from decimal import Decimal
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="coordinates given to Pillow's pixel access",
    leaks="untracked",
    leaking_release="pillow==12.1.1",
    fixed_release="pillow==12.2.0",
    source="https://github.com/python-pillow/Pillow/pull/9487",
)
_traffic = Traffic(32)
_pixels: Any = None


def setup() -> None:
    global _pixels
    from PIL import Image

    _pixels = Image.new("RGB", (1400, 1400)).load()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 2 == 0:
        _pixels[Decimal(1000 + i % 399), Decimal(1000 + i % 397)]
