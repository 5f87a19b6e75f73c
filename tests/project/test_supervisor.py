"""The supervisor keeps programs running and leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from project.supervisor import read
from tests.waiting import until

SUPERVISOR = Path(__file__).parents[2] / "project" / "supervisor.py"
SLEEPER = """
import os, signal, sys, time
name, folder, kind = sys.argv[1:]
def stop(*_):
    open(f"{folder}/order", "a").write(name + "\\n")
    if kind == "slow":
        time.sleep(2.5)
    if kind != "stubborn":
        sys.exit(0)
signal.signal(signal.SIGTERM, stop)
open(f"{folder}/{name}.{os.getpid()}", "w").close()
while True:
    time.sleep(0.05)
"""


def procfile(folder: Path, worker: str) -> Path:
    """Of three programs that note their pids and the order in which they are stopped."""
    (folder / "sleeper").write_text(SLEEPER)
    others = worker if worker == "stubborn" else "polite"
    kinds = {"worker": worker, "beat": others, "web": "slow" if worker == "slow" else others}
    lines = [f"{name}: exec {sys.executable} sleeper {name} {folder} {kind}" for name, kind in kinds.items()]
    (folder / "Procfile").write_text("\n".join(["# name: command", "", *lines]))
    return folder / "Procfile"


def pids(folder: Path, name: str) -> list[int]:
    return [int(path.suffix[1:]) for path in folder.glob(f"{name}.*")]


@pytest.fixture
def start(tmp_path: Path):
    started = []

    def go(
        kind: str = "polite", *, ignore_sigint: bool = False, patience_s: float = 2.0, **pipes: int
    ) -> subprocess.Popen[bytes]:
        def ignore() -> None:
            if ignore_sigint:
                signal.signal(signal.SIGINT, signal.SIG_IGN)

        process = subprocess.Popen(
            [sys.executable, "-S", SUPERVISOR, procfile(tmp_path, kind)],
            cwd=tmp_path,
            env={**os.environ, "STOP_SECONDS": str(patience_s)},
            preexec_fn=ignore,
            **pipes,
        )
        started.append(process)
        until(lambda: all(pids(tmp_path, name) for name in ("beat", "web", "worker")))
        return process

    yield go
    for process in started:
        process.kill()
        process.wait()
    for path in tmp_path.glob("*.*"):
        if psutil.pid_exists(int(path.suffix[1:])):
            os.kill(int(path.suffix[1:]), signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_in_order(start, tmp_path: Path, number: signal.Signals):
    process = start()
    process.send_signal(number)
    assert process.wait(30) == 0
    assert (tmp_path / "order").read_text().split() == ["beat", "web", "worker"]


def test_sigint_counts_although_it_arrived_ignored(start):
    process = start(ignore_sigint=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


def test_a_program_that_does_not_stop_is_killed(start, tmp_path: Path):
    process = start("stubborn")
    (worker,) = pids(tmp_path, "worker")
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    until(lambda: not psutil.pid_exists(worker))


def test_programs_that_do_not_stop_are_waited_for_together(start):
    process = start("stubborn", patience_s=5.0)
    asked_at = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    assert 5.0 <= time.monotonic() - asked_at < 10.0


def test_a_slow_program_is_not_killed(start):
    process = start("slow", patience_s=8.0, stderr=subprocess.PIPE)
    process.send_signal(signal.SIGTERM)
    _out, said = process.communicate(timeout=30)
    assert b"killed" not in said


def test_ctrl_c_again_waits_no_longer(start, tmp_path: Path):
    process = start("stubborn", patience_s=60.0, stderr=subprocess.PIPE)
    (worker,) = pids(tmp_path, "worker")
    process.send_signal(signal.SIGTERM)
    until(lambda: "worker" in (tmp_path / "order").read_text() if (tmp_path / "order").exists() else False)
    process.send_signal(signal.SIGINT)
    _out, said = process.communicate(timeout=30)
    assert b"worker is not waited for and is killed" in said
    assert not psutil.pid_exists(worker)


def test_nothing_is_left_when_the_supervisor_is_killed(start, tmp_path: Path):
    process = start()
    process.kill()
    process.wait()
    for name in ("beat", "web", "worker"):
        for pid in pids(tmp_path, name):
            until(lambda pid=pid: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_a_program_that_dies_is_started_again(start, tmp_path: Path):
    start()
    (first,) = pids(tmp_path, "web")
    os.kill(first, signal.SIGKILL)
    until(lambda: len(pids(tmp_path, "web")) == 2)


def test_the_supervisor_is_lean(start):
    """It waits for as long as a deployment runs: Django and the like would take 50 MB beside it."""
    assert psutil.Process(start().pid).memory_full_info().uss < 15 * 2**20


def test_the_commands_are_declared_in_procfiles():
    root = SUPERVISOR.parents[1]
    names = [program.name for path in ("Procfile", "examples/Procfile") for program in read(root / path)]
    assert names == ["web", "worker", "exporter", "shop", "load"]
