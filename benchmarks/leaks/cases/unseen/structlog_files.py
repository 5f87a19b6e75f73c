"""A logger of structlog for each task, which writes to a file of its own that is closed when the task ends.

Reported as hynek/structlog#806, found in Airflow: structlog keeps a lock for each file that it ever wrote to.

Holder: ``structlog._output.WRITE_LOCKS``, a dict of locks by file.
"""

import io
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="files of tasks in structlog's locks",
    leaks="objects",
    culprit=("*TaskLog", "*lock", "*WRITE_LOCKS*", "*StringIO"),
    holder=("*WRITE_LOCKS*",),
    requires=("structlog==24.4.0",),
    source="https://github.com/hynek/structlog/pull/806",
)
_traffic = Traffic(401)
_structlog: Any = None


class TaskLog(io.StringIO):
    """Where a task writes to."""


def setup() -> None:
    global _structlog
    import structlog

    _structlog = structlog


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        file = TaskLog()
        log = _structlog.wrap_logger(
            _structlog.WriteLogger(file), processors=[_structlog.processors.KeyValueRenderer()], task=i
        )
        for state in ("queued", "running", "done"):
            log.info("task", state=state)
        assert file.getvalue().count("\n") == 3
        file.close()
