"""Servers, task queues and others under ``memwatch run``, as a whole deployment's API shows them; `make soak`.

What is not installed here gets an environment of its own from the package index, once (``MEMWATCH_SITES_CACHE``).
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.launch.test_programs import ENQUEUE, PROGRAMS
from tests.project.stack import ROOT, Stack
from tests.servers import free_port
from tests.sites.foreign import environment_of
from tests.waiting import until

pytestmark = [pytest.mark.soak, pytest.mark.redis]

WITHIN_S = 10.0
"""From the first job on, where the processors have nothing else to do."""
START_S = 300.0
DAG = """
import time
from airflow.sdk import dag, task

@dag(schedule=None, is_paused_upon_creation=False)
def nightly():
    @task
    def load():
        time.sleep(60)

    load()

nightly()
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
    """How it is started, what work it is given, and what the API must show."""

    line: str
    programs: frozenset[str]
    """Names of processes."""
    work: frozenset[str] = frozenset()
    """Names of requests and tasks."""
    packages: tuple[str, ...] = ()
    ask: str = ""
    """An address that the server answers, or a script for a Python process beside it."""
    prepare: str = ""
    """A command before the first start."""


def web(line: str, *programs: str, packages: tuple[str, ...] = (), item: str = "GET /items/{item_id}") -> Program:
    return Program(
        line=line, programs=frozenset(programs), work=frozenset({item}), packages=packages, ask="/items/1"
    )  # fmt: skip


def rq(line: str, *programs: str, job: str = "add") -> Program:
    enqueue = ENQUEUE.replace("rqjobs.add", f"rqjobs.{job}").replace(", 1, 2", ", 1, 2" if job == "add" else "")
    return Program(
        line=f"rq {line} --url {{redis}} jobs", programs=frozenset(programs), work=frozenset({f"rqjobs.{job}"}),
        ask=enqueue,
    )  # fmt: skip


MATRIX: dict[str, Program] = {
    "uvicorn": web("uvicorn api:app --workers 2 --port {port}", "uvicorn", "uvicorn worker"),
    "gunicorn": web(
        "gunicorn shopsite:app -w 2 -b 127.0.0.1:{port}", "gunicorn master", "gunicorn worker", item="item"
    ),
    "hypercorn": web(
        "hypercorn api:app -w 2 -b 127.0.0.1:{port}", "hypercorn", "hypercorn worker", packages=("hypercorn", "fastapi")
    ),
    "granian": web(
        "granian --interface asgi api:app --workers 2 --port {port}", "granian", "granian worker",
        packages=("granian", "fastapi"),
    ),
    "uwsgi": web(
        "uwsgi --http 127.0.0.1:{port} --wsgi shopsite:app --enable-threads --master --die-on-term -p 2 -H {venv}",
        "uwsgi", "uwsgi worker", packages=("uwsgi", "flask"), item="item",
    ),
    "rq": rq("worker", "rq"),
    "rq's pool": rq("worker-pool -n 2", "rq"),
    "rq that spawns": rq("worker -w rq.worker.SpawnWorker", "rq", "python -c", job="long"),
    "dramatiq": Program(
        line="dramatiq dramatiqjobs --processes 1 --threads 1", programs=frozenset({"dramatiq"}),
        work=frozenset({"add"}), ask="import dramatiqjobs; dramatiqjobs.add.send(1, 2)",
    ),
    "huey": Program(
        line="huey_consumer hueyjobs.huey", programs=frozenset({"huey_consumer"}), work=frozenset({"hueyjobs.add"}),
        ask="import hueyjobs; hueyjobs.add(1, 2)",
    ),
    "celery": Program(
        line="celery -A celerytasks worker -c 1", programs=frozenset({"celery main", "celery child"}),
        work=frozenset({"celerytasks.add"}), ask="import celerytasks; celerytasks.add.delay(1, 2)",
    ),
    "jupyter": Program(
        line="jupyter server --allow-root --no-browser --port {port} --IdentityProvider.token=of-the-test",
        programs=frozenset({"jupyter-server", "ipykernel_launcher.py"}), packages=("jupyter-server", "ipykernel"),
        ask="import urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:{port}/api/kernels?token=of-the-test', "
        "data=b'{{}}', headers={{'Content-Type': 'application/json'}}, method='POST'))",
    ),
    "airflow": Program(
        line="airflow standalone", packages=("apache-airflow",),
        programs=frozenset(
            f"airflow {part}" for part in ("standalone", "scheduler", "dag-processor", "triggerer", "api-server")
        ),
        prepare="airflow db migrate",
        ask="import subprocess; subprocess.run(['airflow', 'dags', 'trigger', 'nightly'], check=True)",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), MEMWATCH_SNAPSHOT_INTERVAL="1") as made:
        yield made


@contextmanager
def started(command: list[str], environ: dict[str, str], folder: Path) -> Iterator[Callable[[], str]]:
    """In a process group of its own; gives what it has printed so far."""
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield (folder / "output").read_text
    finally:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        process.terminate()
        for each in psutil.wait_procs(family, timeout=60)[1]:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()


@pytest.mark.parametrize("name", MATRIX)
def test_its_processes_and_its_work_are_in_the_api(name: str, stack: Stack, tmp_path: Path, redis_url: str) -> None:
    program, port, service = MATRIX[name], free_port(), name.replace(" ", "-").replace("'", "")
    python = environment_of(program.packages) if program.packages else Path(sys.executable)
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "nightly.py").write_text(DAG)
    environ = {
        **{each: value for each, value in os.environ.items() if not each.startswith(("MEMWATCH_", "DJANGO_"))},
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(PROGRAMS), os.environ.get("PYTHONPATH", "")]),
        "PYTHONUNBUFFERED": "1", "TASKS_REDIS": redis_url, "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__API__PORT": str(port),
        "MEMWATCH_TRANSPORT": stack.environment["MEMWATCH_TRANSPORT"], "MEMWATCH_SNAPSHOT_INTERVAL": "1",
    }  # fmt: skip
    values = {"port": port, "redis": redis_url, "venv": python.parent.parent}
    if program.prepare:
        subprocess.run(program.prepare.split(), env=environ, cwd=tmp_path, check=True, capture_output=True)
    run = [str(python), "-m", "memwatch", "run", "--service", service, "--", *program.line.format(**values).split()]

    def ask() -> bool:
        """Whether it was given work."""
        if program.ask.startswith("/"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{program.ask}", timeout=30) as answer:
                return bool(answer.read())
        script = [str(python), "-c", program.ask.format(**values)]
        return subprocess.run(script, env=environ, cwd=tmp_path, capture_output=True, check=False).returncode == 0

    def seen() -> tuple[set[str], set[str]]:
        processes = stack.rows(f"/api/v1/processes/?service={service}&page_size=100")
        work = stack.rows(f"/api/v1/work/?service={service}")
        return {row["program"] for row in processes if row["last_snapshot"]}, {row["name"] for row in work}

    def is_shown() -> bool:
        if program.work:
            ask()
        programs, work = seen()
        return programs >= program.programs and work >= program.work

    with started(run, environ, tmp_path) as output:
        until(ask, within_s=START_S, every_s=0.5, seen=output)
        began = time.monotonic()
        until(is_shown, within_s=START_S, every_s=0.5, seen=lambda: (seen(), output()[-3000:]))
        took = time.monotonic() - began
    assert "memwatch: " not in output()
    load = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    print(f"{name}: {took:.1f} s, load {load:.1f} a processor")  # noqa: T201 - for the one who runs it
    assert took <= WITHIN_S * load
