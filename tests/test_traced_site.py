"""Jobs are linked with the traces of a site. In a process of its own: the real SDK stays in whatever it is put into."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import django
import pytest

pytestmark = pytest.mark.deployment


def passed(file: str, **environ: str) -> str:
    """The output of a run of these tests."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"tests/{file}"],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False, env={**os.environ, **environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_views_and_tasks_of_a_traced_site() -> None:
    pytest.importorskip("opentelemetry.instrumentation.django")
    pytest.importorskip("opentelemetry.instrumentation.celery")
    assert "3 passed" in passed("traced_site.py")


@pytest.mark.redis
def test_jobs_of_traced_queues(redis_url: str) -> None:
    for name in ("opentelemetry.instrumentation.django", "opentelemetry.instrumentation.celery"):
        pytest.importorskip(name)
    for name in ("opentelemetry.sdk.trace", "rq", "dramatiq", "huey", "django_tasks"):
        pytest.importorskip(name)
    own = int(django.VERSION >= (6, 0))  # tasks of Django itself
    assert f"{5 + own} passed" in passed("traced_queues.py", TRACED_REDIS=redis_url)
