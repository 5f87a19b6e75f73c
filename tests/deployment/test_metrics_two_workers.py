"""``/metrics`` of the deployment as it runs: gunicorn with two workers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.metrics.scraped import samples
from tests.servers import free_port
from tests.waiting import until

ROOT = Path(__file__).parent.parent.parent
REQUESTS = ("django_http_requests_before_middlewares_total",)

pytestmark = pytest.mark.deployment


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[int]:
    """The port of a web with two workers on a database of its own."""
    chosen, folder = free_port(), tmp_path_factory.mktemp("web")
    prometheus = folder / "prometheus"
    prometheus.mkdir()
    shutil.copy(migrated, folder / "db.sqlite3")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "MEMWATCH_VAR": str(folder / "var"),
        "MEMWATCH_TRANSPORT": f"local://{folder}/transport",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "PORT": str(chosen),
        "WEB_WORKERS": "2",
        "PROMETHEUS_MULTIPROC_DIR": str(prometheus),
        "MEMWATCH_METRICS_ALLOW_LOOPBACK": "on",
    }
    without = {key: value for key, value in environment.items() if key != "PROMETHEUS_MULTIPROC_DIR"}
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(collect, cwd=ROOT, env=without, check=True, timeout=120)
    web = [sys.executable, "-m", "gunicorn", "-c", "project/gunicorn_conf.py", "project.wsgi"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(web, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: get(chosen, "/healthz"), seen=(folder / "log").read_text)
        yield chosen
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)
    assert "Traceback" not in (folder / "log").read_text()


def get(port: int, path: str) -> str:
    """Over a connection of its own, so that either worker may answer."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def test_both_workers_requests_are_in_every_scrape(port: int) -> None:
    before = samples(get(port, "/metrics"))[REQUESTS]
    for _request in range(30):
        get(port, "/healthz")
    counted = []
    for _scrape in range(8):
        found = samples(get(port, "/metrics"))
        counted.append(found[REQUESTS])
        assert found["memwatch_up",] == found["memwatch_site_metrics_up",] == 1
        assert found["fogcompute_memory_leak_detections_total", "severity=critical"] == 0
    # Each scrape is a request itself; whichever worker answers, it has counted all that came before.
    assert counted == [before + 31 + scrape for scrape in range(8)]


def test_the_web_is_ready_and_its_docs_are_served(port: int) -> None:
    assert '"status": "ok"' in get(port, "/readyz")
    assert "swagger-ui-bundle" in get(port, "/api/docs/")
