"""Counts of how often each page was asked for, read for every address that comes, most of them of no page.

Reported as PyCQA/flake8-bugbear#489: to read a ``defaultdict`` adds what is not there.

Holder: ``Meter.hits``, a ``defaultdict`` of numbers by address.
"""

from collections import defaultdict

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="addresses in a defaultdict that was read",
    leaks="untracked",
    culprit=("untracked", "*.hits", "*Meter", "*defaultdict", "*._meter"),
    holder=("*.hits*", "*Meter*", "*_meter*"),
    source="https://github.com/PyCQA/flake8-bugbear/pull/489",
)
_traffic = Traffic(316)


class Meter:
    """Of a site's pages."""

    def __init__(self) -> None:
        self.hits: defaultdict[str, int] = defaultdict(int)

    def count(self, address: str) -> None:
        """One more."""
        self.hits[address] += 1

    def is_popular(self, address: str) -> bool:
        """Whether it was asked for often."""
        return self.hits[address] > 100


_meter = Meter()


def setup() -> None:
    _meter.hits.clear()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 3 == 0:
        _meter.count(f"/pages/{i % 7}.html")
        assert not _meter.is_popular(f"/wp-content/{i}/login.php")
