"""The supervisor keeps programs running and leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.waiting import until

STACK = """
import sys
from project.supervisor import Program, Supervisor
import os
folder = sys.argv[1]
sleeper = '''
import os, signal, sys, time
name, folder, kind = sys.argv[1:]
open(f"{folder}/{name}.{os.getpid()}", "w").close()
def stop(*_):
    open(f"{folder}/order", "a").write(name + "\\\\n")
    if kind == "slow":
        time.sleep(2.5)
    if kind != "stubborn":
        sys.exit(0)
signal.signal(signal.SIGTERM, stop)
while True:
    time.sleep(0.05)
'''
def program(name, rank, kind="polite"):
    arguments = (sys.executable, "-c", sleeper, name, folder, kind)
    return Program(name=name, arguments=arguments, environment=dict(os.environ), stop_rank=rank)
import project.supervisor
project.supervisor.STOP_SECONDS = float(sys.argv[3])
web = "slow" if sys.argv[2] == "slow" else "polite"
Supervisor([program("beat", 0), program("web", 1, web), program("worker", 2, sys.argv[2])]).run()
"""


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
            [sys.executable, "-c", STACK, str(tmp_path), kind, str(patience_s)],
            cwd=Path(__file__).parents[2],
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
    assert process.wait(5) == 0
    assert (tmp_path / "order").read_text().split() == ["beat", "web", "worker"]


def test_sigint_counts_although_it_arrived_ignored(start):
    process = start(ignore_sigint=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 0


def test_a_program_that_does_not_stop_is_killed(start, tmp_path: Path):
    process = start("stubborn")
    (worker,) = pids(tmp_path, "worker")
    process.send_signal(signal.SIGTERM)
    process.wait(6)
    until(lambda: not psutil.pid_exists(worker))


def test_what_another_needed_to_stop_is_not_taken_from_the_worker(start):
    process = start("slow", patience_s=4.0, stderr=subprocess.PIPE)
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
