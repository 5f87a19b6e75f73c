"""Sessions that expire after 24,000 requests: the count rises in a line until then."""

from collections import OrderedDict

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="a cache with a late time to live")


class Session:
    """Of a visitor."""

    def __init__(self, number: int) -> None:
        self.number = number


_sessions: OrderedDict[int, Session] = OrderedDict()


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 4 == 0:
        _sessions[i] = Session(i)
        while next(iter(_sessions)) < i - 24_000:
            _sessions.popitem(last=False)
