"""A cache of 4,000 baskets fills in the first part, and one request in 25 keeps one more."""

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="a leak on top of a warm-up of the same class", leaks="objects", culprit=("*.Basket",))


class Basket:
    """Of a visitor."""

    def __init__(self, number: int) -> None:
        self.number = number


_cache: dict[int, Basket] = {}
_kept: list[Basket] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if len(_cache) < 4000 and i % 2 == 0:
        _cache[i] = Basket(i)
    if i % 25 == 0:
        _kept.append(Basket(i))
