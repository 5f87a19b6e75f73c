"""What a newcomer meets when `make run` cannot go on: one plain line that says what to do."""

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run_stack(tmp_path: Path):
    def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "project.settings", "MEMWATCH_VAR": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "manage.py", "run_stack", *arguments],
            cwd=ROOT,
            env={**environment, **extra},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode != 0
    (line,) = (done.stdout + done.stderr).strip().splitlines()
    return line


def test_a_port_that_is_taken_is_named_with_a_way_out(run_stack):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = only_line(run_stack("--port", str(port)))
    assert f"port {port}" in line
    assert "make run PORT=" in line


def test_a_second_run_says_that_the_first_one_runs(run_stack, tmp_path: Path):
    with (tmp_path / "run_stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()
        line = only_line(run_stack())
    assert "already runs here (process 4711)" in line


def test_a_port_that_is_no_port_is_named(run_stack):
    assert "PORT is 'eighty'" in only_line(run_stack(PORT="eighty"))


def test_a_wrong_setting_stops_the_start_with_key_value_and_remedy(run_stack):
    done = run_stack(MEMWATCH_SNAPSHOT_INTERVAL="60s")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "MEMWATCH_SNAPSHOT_INTERVAL" in said
    assert "60s" in said
    assert "e.g. 60" in said
    assert "Traceback" not in said


def test_a_folder_that_is_not_writable_is_named(run_stack):
    line = only_line(run_stack(MEMWATCH_VAR="/proc/nowhere"))
    assert "/proc/nowhere" in line
    assert "MEMWATCH_VAR" in line
