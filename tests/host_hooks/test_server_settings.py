"""What a server says of how it recycles its processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from memwatch.agent import server_settings as noted
from memwatch.host_hooks import server_settings


@pytest.fixture(autouse=True)
def _nothing_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noted, "_noted", {})
    monkeypatch.setattr(server_settings, "own_arguments", lambda: ["manage.py", "runserver"])


def celery_worker(pool: Any, **conf: Any) -> Any:
    return SimpleNamespace(app=SimpleNamespace(conf=SimpleNamespace(**conf)), pool=pool)


@pytest.mark.parametrize("preload", ["", "--preload"])
def test_gunicorns_configuration_is_read_where_it_loads_the_application(tmp_path: Path, preload: str) -> None:
    """A real gunicorn: its application notes what it finds, and writes it into a file."""
    (tmp_path / "told.py").write_text(
        textwrap.dedent("""
        import json, pathlib
        from memwatch.agent import server_settings as noted
        from memwatch.host_hooks import server_settings
        server_settings.note_application_loaded()
        pathlib.Path("noted.new").write_text(json.dumps(noted.noted()))
        pathlib.Path("noted.new").rename("noted.json")
        import sys
        sys.exit(3)  # the arbiter ends when no worker boots
        """)
    )
    options = ["--max-requests=500", "--max-requests-jitter=50", "--threads=2", "--workers=1", "--timeout=40"]
    subprocess.run(
        [sys.executable, "-m", "gunicorn", "told:app", "--bind=127.0.0.1:0", *options, *preload.split()],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path.cwd())}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    import json

    assert json.loads((tmp_path / "noted.json").read_text()) == {
        "server": "gunicorn", "workers": 1, "threads": 2, "worker_class": "gthread", "timeout": 40,
        "preload": bool(preload), "max_requests": 500, "max_requests_jitter": 50,
    }  # fmt: skip


def test_celerys_worker_says_pool_and_limits() -> None:
    class TaskPool:
        num_processes = 4
        options = {"maxtasksperchild": 300, "max_memory_per_child": None}  # noqa: RUF012 - as Celery has it

    TaskPool.__module__ = "celery.concurrency.prefork"
    server_settings.note_celery_worker(celery_worker(TaskPool(), worker_max_memory_per_child=200_000))
    assert noted.noted() == {
        "server": "celery", "pool": "prefork", "concurrency": 4, "max_tasks_per_child": 300,
        "max_memory_per_child": 200_000,
    }  # fmt: skip


def test_a_pool_child_says_what_billiard_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    billiard_pool = pytest.importorskip("billiard.pool")
    worker = object.__new__(billiard_pool.Worker)
    worker.maxtasks, worker.max_memory_per_child = 7, 150_000
    process = SimpleNamespace(current_process=lambda: SimpleNamespace(_target=worker))
    monkeypatch.setitem(sys.modules, "billiard.process", process)
    server_settings.note_pool_child()
    assert noted.noted() == {
        "server": "celery", "pool": "prefork", "max_tasks_per_child": 7, "max_memory_per_child": 150_000,
    }  # fmt: skip


def test_where_there_is_no_limit_it_is_0_and_where_nothing_is_known_it_is_absent() -> None:
    server_settings.note_celery_worker(celery_worker(None))
    assert noted.noted() == {"server": "celery", "max_tasks_per_child": 0, "max_memory_per_child": 0}


@pytest.mark.parametrize(
    "arguments",
    [
        ["/srv/bin/uvicorn", "shop.asgi", "--workers", "3", "--limit-max-requests=800"],
        ["uvicorn", "--limit-max-requests", "800", "shop.asgi", "--workers=3"],
    ],
)
def test_a_command_line_is_read_for_servers_without_a_configuration(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_settings, "own_arguments", lambda: arguments)
    server_settings.note_application_loaded()
    assert noted.noted() == {"server": "uvicorn", "workers": 3, "max_requests": 800}


def test_uwsgi_tells_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {b"workers": b"6", "max-requests": b"1000", b"http": b":80", b"harakiri": [b"1", b"2"]}
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt=options))
    server_settings.note_application_loaded()
    assert noted.noted() == {"server": "uwsgi", "workers": 6, "max_requests": 1000}


@pytest.mark.parametrize("shape", ["worker", "none", "number", "attributes"])
def test_nothing_that_goes_wrong_is_raised(shape: str, capfd: pytest.CaptureFixture[str]) -> None:
    class Hostile:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    odd = {"worker": Hostile(), "none": None, "number": 7, "attributes": SimpleNamespace(app=Hostile(), pool=Hostile())}
    server_settings.guarded(server_settings.note_celery_worker, odd[shape])
    assert {name: noted.noted()[name] for name in ("server", "max_tasks_per_child")} == {
        "server": "celery", "max_tasks_per_child": 0,
    }  # fmt: skip
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("odd", [-1, 2.5, "7\x00", True, object(), 10**400])
def test_values_of_a_wrong_type_are_left_out(odd: Any) -> None:
    server_settings.note_celery_worker(celery_worker(SimpleNamespace(num_processes=odd)))
    assert "concurrency" not in noted.noted()
