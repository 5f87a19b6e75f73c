"""Numbers of orders that were seen, in a set."""

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="ints in a set", leaks="untracked", culprit=("*.SEEN",))
SEEN: set[int] = set()


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 3 == 0:
        SEEN.add(i * 1_000_003)
