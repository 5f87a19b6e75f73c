"""No leak: ``labels()`` of a counter for each request, with a few values.

Reported as prometheus/client_python#937; what it saw was freed by the next collection.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="labels of 200 values in Prometheus",
    requires=("prometheus-client==0.17.1",),
    source="https://github.com/prometheus/client_python/issues/937",
)
_traffic = Traffic(22)
_requests: Any = None


def setup() -> None:
    global _requests
    import prometheus_client

    _requests = prometheus_client.Counter("requests", "Requests by view.", ["view", "status"])


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 5 == 0:
        _requests.labels(f"view{i * 7 % 40}", str(200 + i % 25 // 5)).inc()
