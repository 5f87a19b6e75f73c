"""A fresh Django project with the README's lines in its settings is watched."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import free_port
from tests.waiting import until

pytestmark = pytest.mark.deployment

ROOT = Path(__file__).parents[2]
LINES = re.findall(r"^(.+?)\s+# (settings|urls)\.py", (ROOT / "README.md").read_text(), re.MULTILINE)
WITHIN_S = 120.0

BROKER = """
CELERY_BROKER_URL = "filesystem://localhost"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": str(BASE_DIR / "queue"),
    "data_folder_out": str(BASE_DIR / "queue"),
    "control_folder": str(BASE_DIR / "control"),
}
for _folder in CELERY_BROKER_TRANSPORT_OPTIONS.values():
    Path(_folder).mkdir(parents=True, exist_ok=True)
"""
CELERY = """\
import os

from celery import Celery
from project import broker  # kombu's own hands out messages that are not written yet

broker.install()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yoursite.settings")
app = Celery("yoursite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""


class Site:
    """What ``django-admin startproject`` makes, with the lines added, and its programs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEMWATCH_", "DJANGO_"))}
        self.environment = {
            **kept, "DJANGO_SETTINGS_MODULE": "yoursite.settings", "PYTHONPATH": f"{folder}:{ROOT}",
            "PYTHONUNBUFFERED": "1", "MEMWATCH_SNAPSHOT_INTERVAL": "1",
            "TMPDIR": str(folder / "tmp"),  # where a bare local: has its folder
        }  # fmt: skip
        (folder / "tmp").mkdir()
        self._started: list[subprocess.Popen[bytes]] = []
        self.run("django", "startproject", "yoursite", str(folder), environment={"DJANGO_SETTINGS_MODULE": ""})
        package = folder / "yoursite"
        (package / "celery.py").write_text(CELERY)
        (package / "__init__.py").write_text("from yoursite.celery import app as celery_app\n")
        self._add(package / "settings.py", "from memwatch.schedule import beat_schedule\n", "settings", BROKER)
        self._add(package / "urls.py", "from django.urls import include\n", "urls")

    def _add(self, file: Path, imports: str, which: str, more: str = "") -> None:
        lines = [line for line, where in LINES if where == which]
        file.write_text("\n".join([file.read_text(), imports, more, *lines, ""]))

    def run(self, *command: str, environment: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder, env=self.environment | (environment or {}),
            capture_output=True, text=True, timeout=WITHIN_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *command: str) -> None:
        with self.log.open("ab") as log:
            self._started.append(
                subprocess.Popen(
                    [sys.executable, "-m", *command],
                    cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True,
                )
            )  # fmt: skip

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def status(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=10) as answer:
                return answer.status, str(answer.read().decode())
        except urllib.error.HTTPError as refused:
            return refused.code, str(refused.read().decode())
        except OSError:
            return 0, ""

    def wait(self, condition: Callable[[], bool], seen: object = None) -> None:
        """``seen`` is told where it does not come to be so."""

        def look() -> bool:
            assert all(program.poll() is None for program in self._started), self.log.read_text()[-4000:]
            return condition()

        until(look, within_s=WITHIN_S, every_s=0.2, seen=lambda: f"{seen}\n{self.log.read_text()[-4000:]}")

    def stop(self) -> None:
        """Politely, then for certain: each program leads a session of its own."""
        for program in self._started:
            program.send_signal(signal.SIGINT)
        for program in self._started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(15)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()
        self._started.clear()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.stop()


WATCHED = """\
import json
from memwatch.models import Process
rows = Process.objects.alive().filter(last_snapshot__total_objects__gt=10_000)
print(json.dumps(sorted(rows.values_list("service__name", "program"))))
"""


def test_four_lines_are_enough_for_a_fresh_project(site: Site) -> None:
    assert len(LINES) == 4
    site.run("django", "migrate", "--verbosity", "0")
    site.start("django", "runserver", "--noreload", str(site.port))
    site.start("celery", "-A", "yoursite", "worker", "-B", "-Q", "celery,memwatch", "-c", "1", "-l", "warning")
    unwatched = {"MEMWATCH_AGENT": "off"}
    watched: list[list[str]] = []

    def everybody_is_there() -> bool:
        watched[:] = json.loads(site.run("django", "shell", "-v0", "-c", WATCHED, environment=unwatched))
        return len(watched) >= 4

    site.wait(lambda: site.status("healthz")[0] == 200)
    site.wait(everybody_is_there, watched)
    assert watched == [
        ["beat", "celery beat"], ["web", "manage.py runserver"], ["worker", "celery child"], ["worker", "celery main"],
    ]  # fmt: skip
    assert json.loads(site.status("readyz")[1])["status"] == "ok"
    assert site.status("metrics")[0] == 401
    assert site.status("admin/login/")[0] == 200
    assert site.status("api/v1/stats/")[0] == 404  # until rest_framework is installed as well

    site.stop()
    said = site.log.read_text()
    for trouble in ("Traceback", "database is locked", "ERROR", "memwatch:"):
        assert trouble not in said, said
