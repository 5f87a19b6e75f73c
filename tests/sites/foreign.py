"""A scratch environment with the wheel and somebody else's project, and that project's programs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers import free_port

ROOT = Path(__file__).parents[2]
INSIDE = Path(__file__).parent / "inside.py"
LINES = re.findall(r"^(.+?)\s+# (settings|urls)\.py", (ROOT / "README.md").read_text(), re.MULTILINE)
WITHIN_S = 120.0
INSTALL_S = 1200.0
EXTRAS = "django,api,prometheus,redis"

CELERY = """\
import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings}")
app = Celery("{package}")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""
SQLITE = re.findall(r"^DATABASES.+?^}$", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE | re.DOTALL)
"""What the settings' page wants of SQLite."""
SLIM = re.search(r"```python\n(from yoursite.+?)```", (ROOT / "docs" / "scaling.md").read_text(), re.DOTALL)
"""The slim settings of the page on scaling."""
MORE_APPS = """
INSTALLED_APPS += [
    app for app in (
        "chartkick.django", "rest_framework", "rest_framework.authtoken", "django_filters", "drf_spectacular",
        "drf_spectacular_sidecar",
    )
    if app not in INSTALLED_APPS
]
"""


def cache() -> Path:
    """Where environments are kept from one run to the next: ``MEMWATCH_SITES_CACHE``, or below the temporary folder."""
    folder = Path(os.environ.get("MEMWATCH_SITES_CACHE") or Path(tempfile.gettempdir()) / "memwatch-sites")
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def build_wheel(folder: Path) -> Path:
    """The wheel of this tree."""
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    subprocess.run([*build, "-w", folder, ROOT], check=True, timeout=INSTALL_S)
    (wheel,) = folder.glob("memwatch-*.whl")
    return wheel


def environment_of(packages: Sequence[str]) -> Path:
    """The Python of a virtual environment with these packages, which are installed once."""
    digest = hashlib.sha256("\n".join([sys.version, *packages]).encode()).hexdigest()[:12]
    folder = cache() / f"{packages[0]}-{digest}"
    ready = folder / ".installed"
    if not ready.exists():
        _uv("venv", "-q", "--clear", "--python", sys.executable, str(folder))
        _uv("pip", "install", "-q", "--python", str(folder / "bin" / "python"), *packages)
        ready.touch()
    return folder / "bin" / "python"


def environment_with(packages: Sequence[str], wheel: Path) -> Path:
    """The same with the wheel and a web server."""
    python = environment_of([*packages, "gunicorn", "Django>=5.2,<6"])
    into = ("pip", "install", "-q", "--python", str(python))
    _uv(*into, "--reinstall-package", "memwatch", f"memwatch[{EXTRAS}] @ {wheel.as_uri()}")
    return python


def _uv(*arguments: str) -> None:
    _done([sys.executable, "-m", "uv", *arguments], {**os.environ, "UV_CACHE_DIR": str(cache() / "uv")})


def _done(command: Sequence[str], environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, cwd=tempfile.gettempdir(), env=dict(environ),
        capture_output=True, text=True, timeout=INSTALL_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr[-3000:]}"


class ForeignSite:
    """A project in a folder, run by its own environment's Python."""

    within_s = WITHIN_S
    """How long a program may take that is run to its end."""

    def __init__(self, folder: Path, python: Path, *, package: str, settings: str, broker: str) -> None:
        self.folder, self.python, self.package, self.settings = folder, python, package, settings
        self.broker, self.port = broker, free_port()
        folder.mkdir(parents=True)
        (folder.parent / "tmp").mkdir()
        kept = ("MEMWATCH_", "DJANGO_", "PYTHON", "CELERY_")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(kept)},
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1",
            "MEMWATCH_SNAPSHOT_INTERVAL": "1", "TMPDIR": str(folder.parent / "tmp"),
        }  # fmt: skip
        self.log = folder.parent / "log"
        self._started: list[subprocess.Popen[bytes]] = []

    def write(self, name: str, text: str, *, append: bool = True) -> None:
        """Lines at the end of a file of the project's package."""
        file = self.folder / self.package / name
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_text() if append and file.exists() else ""
        file.write_text(f"{before}\n{text}\n" if before else f"{text}\n")

    def add_memwatch(self, settings: str, *, catch_all: bool = False, sqlite: bool = True) -> None:
        """Celery as its guide for Django has it, and the README's four lines; ``settings`` is the settings' file."""
        self.write("celery.py", CELERY.format(settings=self.settings, package=self.package), append=False)
        self.write("__init__.py", f"from {self.package}.celery import app as celery_app")
        self.write(settings, f'CELERY_BROKER_URL = "{self.broker}"\nfrom memwatch.schedule import beat_schedule')
        self.write(
            settings,
            "\n".join(
                [*(SQLITE if sqlite else ()), *(line for line, where in LINES if where == "settings"), MORE_APPS]
            ),
        )
        (line,) = [line for line, where in LINES if where == "urls"]
        if catch_all:  # as the install guide has it
            line = 'urlpatterns = [path("", include("memwatch.urls")), *urlpatterns]'
        self.write("urls.py", f"from django.urls import include, path\n{line}")

    def add_slim_settings(self) -> str:
        """The module's name."""
        assert SLIM is not None
        text = SLIM[1].replace("yoursite.settings", self.settings).replace("yoursite", self.package)
        self.write("settings_slim.py", text, append=False)
        self.write("urls_slim.py", "urlpatterns = []", append=False)
        return f"{self.package}.settings_slim"

    def run(self, *command: str | Path, code: int = 0, environment: Mapping[str, str] | None = None) -> str:
        """A program of the environment, to its end; what it printed."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.folder, env={**self.environment, **(environment or {})},
            capture_output=True, text=True, timeout=self.within_s, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def manage(self, *command: str, code: int = 0) -> str:
        """``manage.py``."""
        return self.run(self.python, "manage.py", *command, code=code)

    def ask(self, *questions: str) -> dict[str, Any]:
        """See ``inside.py``."""
        environment = {"DJANGO_SETTINGS_MODULE": self.settings, "MEMWATCH_AGENT": "off"}
        found: dict[str, Any] = json.loads(self.run(self.python, INSIDE, *questions, environment=environment))
        return found

    def start(self, *command: str, environment: Mapping[str, str] | None = None) -> int:
        """A program of the environment, until :meth:`stop`; its pid."""
        with self.log.open("ab") as log:
            self._started.append(
                subprocess.Popen(
                    [str(self.python.parent / command[0]), *command[1:]],
                    cwd=self.folder, env={**self.environment, **(environment or {})},
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )
            )  # fmt: skip
        return self._started[-1].pid

    def start_all(self, beat: Sequence[str] = ()) -> int:
        """Two web workers, a Celery worker with one child, and beat; the pid of the web workers' parent."""
        where = f"127.0.0.1:{self.port}"
        web = self.start("gunicorn", f"{self.package}.wsgi", "-b", where, "-w", "2", "--access-logfile", "/dev/null")
        worker = ("-Q", "celery,memwatch", "-c", "1", "-l", "warning")
        self.start("celery", "-A", self.package, "worker", *worker)
        own = ("-l", "warning", "-s", str(self.folder.parent / "beat"))
        self.start("celery", "-A", self.package, "beat", *own, *beat)
        return web

    def end(self, pid: int) -> None:
        """One of the programs, in order."""
        (program,) = [each for each in self._started if each.pid == pid]
        self._started.remove(program)
        program.terminate()
        program.wait(60)

    def get(self, path: str, session: str = "", accept: str = "*/*") -> tuple[int, str]:
        """Status and page."""
        headers = {"Cookie": f"sessionid={session}", "Accept": accept} if session else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode(errors="replace")
        except OSError as error:
            return 0, str(error)

    def wait(self, look: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
        """What is seen once it is as wanted."""
        deadline = time.monotonic() + self.within_s
        while not wanted(seen := look()):
            assert all(program.poll() is None for program in self._started), self.log.read_text()[-4000:]
            assert time.monotonic() < deadline, f"{seen}\n{self.log.read_text()[-4000:]}"
            time.sleep(0.5)
        return seen

    def stop(self) -> None:
        """In order, then for certain: each program leads a session of its own."""
        for program in self._started:
            program.send_signal(signal.SIGTERM)
        for program in self._started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()
        self._started.clear()
