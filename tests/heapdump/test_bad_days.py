"""Programs that fork, wait, switch or hold much while their heap is dumped go on, and the dump is whole."""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import parent
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap_dump.recording import HeapDumpRecording
from memwatch.diagnosis.options import HeapDumpOptions
from tests.heapdump import hosts
from tests.heapdump.loading import Loaded, load
from tests.services.recordings.dumps import files_of_at_most

pytestmark = pytest.mark.skipif(parent.impossible() is not None, reason="no copy of a process can be had here")


def dumped(host: str, folder: Path) -> tuple[dict[str, Any], Loaded]:
    """What the program says, and its dump."""
    file = folder / "host.heap"
    command = [sys.executable, hosts.__file__, host, str(file)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    found = load(file)
    assert found.end.complete
    assert 0 <= said["objects"] - len(found.objects) < 0.001 * said["objects"]  # few addresses come twice
    return said, found


def test_a_host_that_forks_and_executes_meets_no_child_of_ours(tmp_path: Path) -> None:
    said, _found = dumped("forks_and_executes", tmp_path)
    assert said["during"] > 0
    assert said["strange"] == []
    assert said["children"] == 0


@pytest.mark.skipif(importlib.util.find_spec("gevent") is None, reason="gevent is not installed")
def test_other_greenlets_run_while_one_dumps(tmp_path: Path) -> None:
    said, _found = dumped("in_greenlets", tmp_path)
    assert said["during"] > 3
    assert said["children"] == 0


def test_an_event_loop_goes_on_while_a_thread_dumps(tmp_path: Path) -> None:
    said, found = dumped("in_an_event_loop", tmp_path)
    assert said["during"] > 3
    assert said["children"] == 0
    coroutines = [row for row in found.objects.values() if row.type == "coroutine"]
    assert len(coroutines) >= 1_000


def recorded(act: Callable[[], object] = lambda: None) -> str:
    """Why a recording within a watched process came to nothing; ``act`` is called once the copy is there."""
    before = set(psutil.Process().children())
    steps = HeapDumpRecording(HeapDumpOptions(), Host()).run(Meter())
    try:
        while True:
            next(steps)
            act()
    except Refused as refused:
        return str(refused)
    finally:
        steps.close()
        assert set(psutil.Process().children()) == before
        gc.collect()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("room", [10, 20_000])
def test_a_temporary_folder_that_gets_full_is_a_sentence(room: int) -> None:
    with files_of_at_most(room):
        assert recorded() == "the heap dump cannot be written to the temporary folder: File too large"


@pytest.mark.filterwarnings("error")
def test_a_copy_that_is_killed_within_a_watched_process_is_a_sentence() -> None:
    before = set(psutil.Process().children())

    def kill() -> None:
        for copy in set(psutil.Process().children()) - before:
            copy.kill()

    assert "it was killed" in recorded(kill)


@pytest.mark.skipif(psutil.virtual_memory().available < 5 * 2**30, reason="a text of 1 GB and its copy need room")
def test_a_text_of_a_gigabyte_is_one_row(tmp_path: Path) -> None:
    said, found = dumped("with_a_huge_text", tmp_path)
    huge, size = said["huge"]
    assert (found.objects[huge].size, found.objects[huge].length) == (size, 2**30)
    assert said["bytes"] < 20 * 2**20
