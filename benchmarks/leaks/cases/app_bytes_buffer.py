"""A journal that is written to memory."""

import io

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="chunks of bytes kept in a deque", leaks="untracked", culprit=("*.JOURNAL",))
JOURNAL: list[bytes] = []
_line = io.BytesIO()


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 5 == 0:
        JOURNAL.append(b"%06d a line of the journal" % i)
