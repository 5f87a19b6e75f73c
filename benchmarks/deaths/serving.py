"""The site of a program under its real server, in a memory cgroup, and the ordinary load beside what is done to it."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from celery import Celery

from benchmarks.deaths.cgroup import Group
from benchmarks.deaths.program import COMMANDS, WEB, Neighbour, Program
from tests.deployment.guest import Guest
from tests.servers import RedisServer, find_program

SITE = Path(__file__).parent / "site"
ROOT = Path(__file__).parents[2]
SERVICE, BESIDE, COMMAND_KEY = "site", "memwatch", "of the benchmark of deaths"
ANSWER_S = 90.0
_LOAD_EVERY_S = 0.5
_WORKER = "uvicorn.workers.UvicornWorker"

_GUNICORN = ("gunicorn", "deathsite.wsgi", "--bind", "127.0.0.1:{port}", "--log-level", "warning",
             "--no-control-socket")  # fmt: skip
_GUNICORN_ASGI = ("gunicorn", "deathsite.asgi", *_GUNICORN[2:])
_UVICORN = ("uvicorn", "deathsite.asgi:application", "--port", "{port}", "--log-level", "warning")
_CELERY = ("celery", "-A", "deathsite.celery", "worker", "--loglevel", "WARNING", "--without-mingle",
           "--without-gossip")  # fmt: skip


def command(program: Program) -> tuple[str, ...]:
    """What starts the site for it."""
    count = str(program.processes)
    return (
        *{
            "sync": (*_GUNICORN, "--workers", count),
            "gthread": (*_GUNICORN, "--workers", count, "--worker-class", "gthread", "--threads", "4"),
            "gunicorn uvicorn": (
                "gunicorn",
                "deathsite.asgi",
                *_GUNICORN[2:],
                "--workers",
                count,
                "--worker-class",
                _WORKER,
            ),
            "uvicorn": (*_UVICORN, *(("--workers", count) if program.processes > 1 else ())),
            "prefork": (*_CELERY, "--concurrency", count),
            "threads": (*_CELERY, "--pool", "threads", "--concurrency", "4"),
            "solo": (*_CELERY, "--pool", "solo"),
            "command": ("manage.py", "export_reports"),
            "script": ("nightly.py",),
        }[program.server],
        *program.options,
    )


class Site(Guest):
    """Started and stopped as the deployment tests' guest is, and put where the program wants it."""

    def __init__(self, folder: Path, transport: str, program: Program, *, group: Group | None, broker: str) -> None:
        environment = {
            "DJANGO_SETTINGS_MODULE": "deathsite.settings",
            "PYTHONPATH": f"{SITE}:{ROOT}",
            "PYTHONWARNINGS": "ignore",
            "MEMWATCH_COMMAND_KEY": COMMAND_KEY,
            "MEMWATCH_SNAPSHOT_INTERVAL": f"{program.interval_s:g}",
            "MEMWATCH_SERVICE": SERVICE,
            **({"MEMWATCH_HOST": "apart"} if program.apart else {}),
            **({"DEATHS_BROKER": broker} if broker else {}),
        }
        super().__init__(folder, transport, environment=environment)
        self.program, self._group = program, group
        self._others: list[subprocess.Popen[bytes]] = []

    @property
    def _prefix(self) -> tuple[str, ...]:
        spares = any(isinstance(step, Neighbour) and step.spared for step in self.program.do)
        entering = self._group.entering(first_to_die=spares) if self._group is not None else ()
        limited: tuple[str, ...] = ()
        if self.program.address_space_mb is not None:
            limited = ("prlimit", f"--as={int(self.program.address_space_mb * 2**20)}")
        apart: tuple[str, ...] = ()
        if self.program.apart:
            own = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
            apart = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", own, "sh")
        return (*entering, *limited, *apart)

    def serve(self) -> None:
        """Start it. Its first reports say when it takes jobs."""
        self.process = self._popen(*self._prefix, *self._python(*command(self.program)))

    def start_beside(self) -> int:
        """A watched process outside the server's cgroup; its pid."""
        started = self._popen(
            *self._python("bystander.py"), MEMWATCH_SERVICE=BESIDE, MEMWATCH_HOST=socket.gethostname()
        )
        self._others.append(started)
        return started.pid

    def start_neighbour(self, mb: float, seconds: float) -> subprocess.Popen[bytes]:
        """In the server's cgroup."""
        assert self._group is not None
        words = (str(SITE / "neighbour.py"), str(mb), str(seconds))
        started = self._popen(*self._group.entering(), sys.executable, *words)
        self._others.append(started)
        return started

    def _python(self, first: str, *others: str) -> tuple[str, ...]:
        words = [word.format(port=self.port) for word in (first, *others)]
        return (sys.executable, *(() if first.endswith(".py") else ("-m",)), *words)

    def _popen(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                words, cwd=SITE, env={**self._environment, **environment}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def reap(self) -> None:
        """Take note of its end, as a supervisor does at once."""
        if self.process is not None:
            self.process.poll()

    def ask_for(self, view: str, **query: object) -> int:
        """The status of the answer; 0 where there is none."""
        address = f"http://127.0.0.1:{self.port}/reports/{view}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(address, timeout=ANSWER_S) as response:
                response.read()
                return int(response.status)
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return 0

    def close(self) -> None:
        """Stop everything that was started."""
        for other in self._others:
            other.kill()
            other.wait()
        super().close()


@contextlib.contextmanager
def servers_for(program: Program) -> Iterator[str]:
    """The address of a Redis of its own, where the program needs one; else empty."""
    if program.transport != "redis" and program.server not in ("prefork", "threads", "solo"):
        yield ""
        return
    found = find_program("redis-server")
    if found is None:
        raise SystemExit("bench-deaths: redis-server is not installed: apt-get install redis-server")
    redis = RedisServer(found)
    redis.start()
    try:
        yield redis.url
    finally:
        redis.stop()


class Jobs:
    """Starts jobs of the site: requests, tasks, or what a command waits for. Nothing waits for their end."""

    def __init__(self, site: Site, broker: str) -> None:
        self._site, self._server = site, site.program.server
        self.celery = Celery("sender", broker=broker, set_as_current=False) if broker else None

    def start(self, name: str, deed: str, amount: float) -> str:
        """One; the id of the task."""
        if self._server in COMMANDS:
            (self._site.folder / "go.new").write_text(json.dumps([deed, amount]))
            (self._site.folder / "go.new").rename(self._site.folder / "go")
        elif self._server in WEB:
            threading.Thread(
                target=self._site.ask_for, args=(name,), kwargs={"deed": deed, "amount": amount}, daemon=True
            ).start()
        else:
            assert self.celery is not None
            return str(self.celery.send_task(f"reports.{name}", args=(deed, amount), ignore_result=True).id)
        return ""

    def forget(self) -> None:
        """A command that is started again has nothing to do yet."""
        (self._site.folder / "go").unlink(missing_ok=True)

    def do(self, name: str, deed: str, amount: float) -> None:
        """One, and wait for its end; of a task only a moment, since its result is not kept."""
        if self._server in WEB:
            self._site.ask_for(name, deed=deed, amount=amount)
        else:
            self.start(name, deed, amount)

    def home(self) -> None:
        """A short one."""
        if self._server in WEB:
            self._site.ask_for("home")
        elif self.celery is not None:
            self.celery.send_task("reports.home", ignore_result=True, expires=5)

    @contextlib.contextmanager
    def short_ones(self) -> Iterator[None]:
        """While it lasts, two a second from each of two visitors."""
        ended = threading.Event()

        def visit() -> None:
            while not ended.wait(_LOAD_EVERY_S):
                with contextlib.suppress(Exception):  # the broker or the server has just ended
                    self.home()

        count = 0 if self._server in COMMANDS else 2
        threads = [threading.Thread(target=visit, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
