"""The servers and task queues that ``memwatch run`` starts: their processes and their work, by name."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.launch.running import Hub, environment, python
from tests.servers import free_port
from tests.waiting import until

PROGRAMS = Path(__file__).parent / "programs"


@contextmanager
def started(hub: Hub, tmp_path: Path, *arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A module with its arguments, in a process group of its own; it must end with a signal, and say no more."""
    full = environment(hub, PYTHONUNBUFFERED="1", **environ)
    full["PYTHONPATH"] = os.pathsep.join([full["PYTHONPATH"], str(PROGRAMS), os.environ.get("PYTHONPATH", "")])
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            python(*arguments), env=full, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            text=True, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def needed(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


def status(url: str, method: str = "GET") -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
            answer.read()
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def errors(hub: Hub) -> dict[str, int]:
    found: dict[str, int] = {}
    for report in hub.read():
        for _number, snapshot in report.snapshots:
            for each in snapshot.work or ():
                found[each.name] = found.get(each.name, 0) + each.errors
    return {name: count for name, count in found.items() if count}


API = {
    "GET /items/{item_id}": 2,
    "POST /items/{item_id}": 1,
    "GET /v1/shop/{name}/page": 1,
    "GET /sub/{tenant}/in/{name}": 1,
    "GET /boom": 1,
}
FLASK = {"item": 2, "shop.page": 1, "boom": 1}
ANY = {"(no view)": 2}
"""And those that ask whether the server is up."""
WEB: dict[str, tuple[str, str, int, dict[str, int], str]] = {
    "fastapi on uvicorn": ("fastapi", "uvicorn api:app --port {port}", 1, API, "(no view)"),
    "workers of uvicorn": ("fastapi", "uvicorn api:app --workers 2 --port {port}", 3, API, "(no view)"),
    "flask on gunicorn": ("flask", "gunicorn shopsite:app -b 127.0.0.1:{port}", 2, FLASK, "(no view)"),
    "threads": ("flask", "gunicorn shopsite:app --threads 4 -b 127.0.0.1:{port}", 2, FLASK, "(no view)"),
    "preloaded": ("flask", "gunicorn shopsite:app --preload -w 2 -b 127.0.0.1:{port}", 3, FLASK, "(no view)"),
    "greenlets": ("flask", "gunicorn shopsite:app -k gevent -b 127.0.0.1:{port}", 2, FLASK, "(no view)"),
    "flask's own": ("flask", "flask --app shopsite run --port {port}", 1, FLASK, "(no view)"),
    "wsgi": ("gunicorn", "gunicorn plain:wsgi -b 127.0.0.1:{port}", 2, {}, "plain:wsgi"),
    "asgi": ("uvicorn", "uvicorn plain:asgi --port {port}", 1, {}, "plain:asgi"),
    "django": ("django", "gunicorn djangosite:application -b 127.0.0.1:{port}", 2, {"item": 3}, "(no view)"),
}
"""What it needs, how it is started, its processes, the requests by name, and the name of all others."""
REQUESTS = (
    ("GET", "items/1"), ("GET", "items/2"), ("POST", "items/3"), ("GET", "v1/shop/joe/page"), ("GET", "sub/ten/in/3"),
    ("GET", "boom"), ("GET", "no/1"), ("GET", "page/x"),
)  # fmt: skip


@pytest.mark.deployment
@pytest.mark.parametrize("name", WEB)
def test_requests_are_counted_by_their_routes(hub: Hub, tmp_path: Path, name: str) -> None:
    module, line, processes, wanted, others = WEB[name]
    needed(module)
    port = free_port()
    output = (tmp_path / "output").read_text
    with started(hub, tmp_path, "-m", *line.format(port=port).split(), MEMWATCH_SERVICE="shop"):
        address = f"http://127.0.0.1:{port}"
        until(lambda: status(f"{address}/up"), within_s=60, seen=output)
        until(lambda: status(f"{address}/up") and len(ready(hub)) >= processes, within_s=60, seen=output)
        for method, path in REQUESTS:
            status(f"{address}/{path}", method)
        rest = len(REQUESTS) - sum(wanted.values())
        until(
            lambda: (
                hub.jobs().items() >= {("view", each): calls for each, calls in wanted.items()}.items()
                and hub.jobs().get(("view", others), 0) > rest
            ),
            within_s=60,
            seen=lambda: (hub.jobs(), output()),
        )
    assert {each for _kind, each in hub.jobs()} == {*wanted, others}
    assert {each.process.service for each in hub.reports} == {"shop"}
    assert errors(hub) == {each: 1 for each in wanted if "boom" in each}
    assert "memwatch: " not in output()


@pytest.mark.deployment
def test_the_settings_of_gunicorn_are_known(hub: Hub, tmp_path: Path) -> None:
    line = f"gunicorn plain:wsgi -b 127.0.0.1:{free_port()} --threads 3 --max-requests 900 --timeout 77"
    with started(hub, tmp_path, "-m", *line.split()) as process:
        until(lambda: any(each.process.server_settings for each in hub.read()), within_s=60)
    settings = next(each.process.server_settings for each in hub.reports if each.process.server_settings)
    wanted = {"server": "gunicorn", "threads": 3, "max_requests": 900, "timeout": 77, "worker_class": "gthread"}
    assert settings.items() >= wanted.items()
    assert process.pid in {each.process.pid for each in hub.reports}


def ready(hub: Hub) -> set[int]:
    """Processes that have sent more than one snapshot: all is in place in them."""
    found: dict[int, int] = {}
    for report in hub.read():
        found[report.process.pid] = found.get(report.process.pid, 0) + len(report.snapshots)
    return {pid for pid, snapshots in found.items() if snapshots > 1}


ENQUEUE = """
from redis import Redis
from rq import Queue
queue = Queue("jobs", connection=Redis.from_url("{redis}"))
queue.enqueue("rqjobs.add", 1, 2)
queue.enqueue("rqjobs.fail")
"""
TASKS: dict[str, tuple[str, str, str, str]] = {
    "rq": (
        "rq",
        "-m rq.cli worker --url {redis} jobs",
        ENQUEUE,
        "rqjobs.{}",
    ),
    "rq without forks": (
        "rq",
        "-m rq.cli worker --url {redis} -w rq.worker.SimpleWorker jobs",
        ENQUEUE,
        "rqjobs.{}",
    ),
    "dramatiq": (
        "dramatiq",
        "-m dramatiq dramatiqjobs --processes 1 --threads 1",
        "import dramatiqjobs; dramatiqjobs.add.send(1, 2); dramatiqjobs.fail.send()",
        "{}",
    ),
    "huey": (
        "huey",
        "-m huey.bin.huey_consumer hueyjobs.huey",
        "import hueyjobs; hueyjobs.add(1, 2); hueyjobs.fail()",
        "hueyjobs.{}",
    ),
    "apscheduler": ("apscheduler", "{programs}/timetable.py", "", "timetable:{}"),
    "django-tasks": ("django_tasks", "{programs}/djangotasks.py", "", "__main__.{}"),
    "celery": (
        "celery",
        "-m celery -A celerytasks worker -c 1",
        "import celerytasks; celerytasks.add.delay(1, 2); celerytasks.fail.delay()",
        "celerytasks.{}",
    ),
}
"""What it needs, its worker, what puts a task that adds and one that fails into its queue, their names."""


@pytest.mark.deployment
@pytest.mark.redis
@pytest.mark.parametrize("name", TASKS)
def test_tasks_are_counted_by_their_names(hub: Hub, tmp_path: Path, name: str, redis_url: str) -> None:
    module, line, enqueue, form = TASKS[name]
    needed(module)
    output = (tmp_path / "output").read_text
    arguments = line.format(redis=redis_url, programs=PROGRAMS).split()
    with started(hub, tmp_path, *arguments, TASKS_REDIS=redis_url, MEMWATCH_SERVICE="jobs"):
        until(lambda: any(each.snapshots for each in hub.read()), within_s=60, seen=output)

        def counted() -> bool:
            if enqueue:
                put(enqueue.format(redis=redis_url), hub, tmp_path, redis_url)
            jobs = hub.jobs()
            return all(jobs.get(("task", task)) for task in (form.format("add"), failing(form)))

        until(counted, within_s=90, every_s=0.5, seen=lambda: (hub.jobs(), output()))
    assert {each for _kind, each in hub.jobs()} == {form.format("add"), failing(form)}
    assert set(errors(hub)) == {failing(form)}
    assert {each.process.service for each in hub.reports} == {"jobs"}
    assert "memwatch: " not in output()


def failing(form: str) -> str:
    """APScheduler knows the address of a function in the program itself as that of ``__main__``."""
    return form.replace("timetable", "__main__").format("fail")


def put(enqueue: str, hub: Hub, tmp_path: Path, redis_url: str) -> None:
    full = {**environment(hub), "TASKS_REDIS": redis_url}
    full["PYTHONPATH"] = os.pathsep.join([str(PROGRAMS), os.environ.get("PYTHONPATH", "")])
    subprocess.run([sys.executable, "-c", enqueue], env=full, cwd=tmp_path, check=True, capture_output=True, timeout=60)


def test_the_peak_of_a_job_that_rq_forks_reaches_the_worker(hub: Hub, tmp_path: Path, redis_url: str) -> None:
    needed("rq")
    line = TASKS["rq"][1].format(redis=redis_url).replace(" jobs", " peaks")
    with started(hub, tmp_path, *line.split()) as process:
        until(lambda: any(each.snapshots for each in hub.read()), within_s=60)

        def peak_kib() -> bool:
            put(ENQUEUE.format(redis=redis_url).replace('"jobs"', '"peaks"'), hub, tmp_path, redis_url)
            return any(
                each.name == "rqjobs.add" and each.peak_kib_max > 15_000
                for report in hub.of(process.pid)
                for _number, snapshot in report.snapshots
                for each in snapshot.work or ()
            )

        until(peak_kib, within_s=90, every_s=0.5, seen=lambda: (hub.jobs(), (tmp_path / "output").read_text()))
