"""Jobs are linked with the traces of a site. In a process of its own: the real SDK stays in whatever it is put into."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("opentelemetry.instrumentation.django")
pytest.importorskip("opentelemetry.instrumentation.celery")


def test_views_and_tasks_of_a_traced_site() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/traced_site.py"],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
