"""The hook that freezes before the fork, in real servers."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.servers import free_port
from tests.waiting import until

pytest.importorskip("gunicorn")
ROOT = Path(__file__).parents[1]
APP = """
import gc
HELD = [{"number": number} for number in range(10_000)]
def application(environ, start_response):
    start_response("200 OK", [])
    return [str(gc.get_freeze_count()).encode()]
"""
CELERY = """
import gc, os
from celery import Celery
from celery.signals import worker_init, worker_process_init
from memwatch.prefork import freeze
app = Celery("shop", broker="memory://")
HELD = [{"number": number} for number in range(10_000)]
worker_init.connect(freeze)
@worker_process_init.connect
def say(**_named):
    with open("said", "a") as said:
        said.write(f"{gc.get_freeze_count()}\\n")
"""


def run(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}:{ROOT}", "MEMWATCH_AGENT": "off"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_freezing_twice_freezes_once() -> None:
    code = (
        "import gc; from memwatch.prefork import freeze\n"
        "held = [[] for _ in range(10_000)]; freeze(); first = gc.get_freeze_count()\n"
        "more = [[] for _ in range(10_000)]; freeze('sender', signal=1)\n"
        "assert first > 10_000 and gc.get_freeze_count() <= first, (first, gc.get_freeze_count())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_garbage_is_collected_before_not_kept_for_ever() -> None:
    code = (
        "import gc, weakref; from memwatch.prefork import freeze\n"
        "class Node: pass\n"
        "gc.disable(); node = Node(); node.me = node; seen = weakref.ref(node); del node\n"
        "freeze(); assert seen() is None\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.deployment
@pytest.mark.parametrize("hook", [True, False])
def test_workers_of_gunicorn_begin_with_frozen_objects(tmp_path: Path, hook: bool) -> None:
    (tmp_path / "shop_app.py").write_text(APP)
    conf = "preload_app = True\nworkers = 2\n" + ("from memwatch.prefork import when_ready\n" if hook else "")
    (tmp_path / "gunicorn.conf.py").write_text(conf)
    port = free_port()
    server = run(tmp_path, "gunicorn", "shop_app", "--bind", f"127.0.0.1:{port}")
    try:
        frozen = int(until(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()))
    finally:
        server.terminate()
        server.wait(20)
    assert (frozen > 10_000) is hook


@pytest.mark.deployment
def test_children_of_celery_begin_with_frozen_objects(tmp_path: Path) -> None:
    (tmp_path / "shop_tasks.py").write_text(CELERY)
    said = tmp_path / "said"
    worker = run(tmp_path, "celery", "-A", "shop_tasks", "worker", "--concurrency", "2", "--without-heartbeat")
    try:
        until(lambda: len(said.read_text().split()) >= 2, within_s=60)
    finally:
        worker.terminate()
        worker.wait(30)
    assert min(map(int, said.read_text().split())) > 10_000
