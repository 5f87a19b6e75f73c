"""A worker whose log is also formatted into a ``StringIO`` that nobody reads, from its first job to its last.

Reported as hatchet-dev/hatchet#4587.

Holder: ``_handler.stream``, an ``io.StringIO``.
"""

import io
import logging

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="log lines in a StringIO",
    leaks="untracked",
    culprit=("untracked", "native", "*StringIO", "*._handler"),
    holder=("*_handler*", "*.stream", "*StringIO*"),
    source="https://github.com/hatchet-dev/hatchet/issues/4587",
)
_traffic = Traffic(218)
_log = logging.getLogger("worker")
_handler = logging.StreamHandler(io.StringIO())


def setup() -> None:
    _handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    _log.addHandler(_handler)
    _log.propagate = False
    _log.setLevel(logging.INFO)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 3 == 0:
        _log.info("job %d of queue %s done in %.1f s", i, "reports", i % 13 / 10)
