"""Sent mail kept as bytes of some kilobytes, in a dict."""

from benchmarks.leaks.case import Case

CASE = Case(half="scoring", what="kilobytes of bytes by message id", leaks="untracked", culprit=("*.SENT",))
SENT: dict[str, bytes] = {}


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 10 == 0:
        SENT[f"<{i}@example.org>"] = b"Subject: order %d\r\n\r\n" % i + b"x" * (1000 + i % 700)
