"""Server time of what people and machines look at, once the fleet is in the database."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

TIMES = 5


def server_times() -> dict[str, tuple[float, float]]:
    """Milliseconds and those of this process's CPU by what is asked for: medians of five, the first not counted."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.test import Client

    from memwatch.exposition import families
    from memwatch.metrics.fleet import observe
    from memwatch.metrics.rendered_page import Page

    call_command("collectstatic", verbosity=0, interactive=False)
    user = get_user_model().objects.create_superuser("bench", "", "bench")
    client = Client()
    client.force_login(user)

    def get(path: str) -> Callable[[], Any]:
        def ask() -> None:
            response = client.get(path, headers={"host": "localhost"})
            assert response.status_code == 200, (path, response.status_code)

        return ask

    def refresh() -> None:
        Page(families(observe(), namespace="fogcompute", type_limit=100)).body()

    return {
        "overview": _milliseconds(get("/admin/memwatch/overview/")),
        "/api/v1/processes/": _milliseconds(get("/api/v1/processes/")),
        "refresh of the fleet's metrics": _milliseconds(refresh, times=2),
    }


def _milliseconds(ask: Callable[[], Any], times: int = TIMES) -> tuple[float, float]:
    ask()
    spent, used = [], []
    for _ in range(times):
        started, cpu = time.perf_counter(), time.process_time()
        ask()
        spent.append((time.perf_counter() - started) * 1e3)
        used.append((time.process_time() - cpu) * 1e3)
    return median(spent), median(used)
