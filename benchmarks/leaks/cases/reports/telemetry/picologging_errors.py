"""Failures logged with their traceback by picologging: their texts are never released.

Reported as microsoft/picologging#155.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="tracebacks' texts in picologging",
    leaks="untracked",
    leaking_release="picologging==0.9.2",
    fixed_release="picologging==0.9.3",
    source="https://github.com/microsoft/picologging/issues/155",
)
_traffic = Traffic(121)
_log: Any = None


class _Nowhere:
    """A stream."""

    def write(self, text: str) -> None:
        """Drop it."""

    def flush(self) -> None:
        """Nothing is kept."""


def setup() -> None:
    global _log
    import picologging

    handler = picologging.StreamHandler(_Nowhere())
    handler.setFormatter(picologging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _log = picologging.getLogger("shop")
    _log.addHandler(handler)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 5 == 0:
        try:
            raise ConnectionError(f"order {i}")
        except ConnectionError:
            _log.exception("not sent")
