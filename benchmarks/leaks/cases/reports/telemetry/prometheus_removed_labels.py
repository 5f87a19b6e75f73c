"""A counter by job, removed when the job ends, in multi-process mode: the value's file handle stays in a list.

Reported as prometheus/client_python#720; still open.
"""

import os
import tempfile
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="values of removed labels in Prometheus' multi-process mode",
    leaks="objects",
    culprit=("prometheus_client.*", "list"),
    requires=("prometheus-client==0.21.1",),
    source="https://github.com/prometheus/client_python/issues/720",
)
_traffic = Traffic(21)
_rows: Any = None
_folder: Any = None


def setup() -> None:
    global _rows, _folder
    _folder = tempfile.TemporaryDirectory()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = _folder.name
    import prometheus_client

    _rows = prometheus_client.Counter("rows", "Rows of a job.", ["job"])


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _rows.labels("nightly").inc()
        _rows.remove("nightly")
