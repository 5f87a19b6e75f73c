"""Coordinate systems of uploaded maps, of which the site asks pyproj for the EPSG code.

Reported as pyproj4/pyproj#1178 of 3.4.0: the list of possible matches is not freed.

Holder: none in Python; PROJ's objects of the candidates.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="candidates of coordinate systems in PROJ",
    leaks="native",
    culprit=("native",),
    leaking_release="pyproj==3.4.0",
    fixed_release="pyproj==3.4.1",
    requires=("certifi==2024.8.30",),
    source="https://github.com/pyproj4/pyproj/pull/1178",
)
_traffic = Traffic(402)
_systems: list[Any] = []


def setup() -> None:
    from pyproj import CRS

    _systems[:] = [CRS.from_epsg(code) for code in (4326, 3857)]


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        assert _systems[i // 10 % 2].to_epsg() in {4326, 3857}
