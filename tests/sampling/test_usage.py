"""CPU time, context switches and open files, as the system counts them."""

from __future__ import annotations

import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from memwatch.sampling import usage as module
from memwatch.sampling.usage import Usage, UsageFigures, counted


def spin(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def known(read: UsageFigures) -> tuple[float, float, int, int]:
    used = read.cpu_user_s, read.cpu_system_s, read.voluntary_switches, read.involuntary_switches
    assert None not in used
    return used  # type: ignore[return-value]  # the line above


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    made = [socket.socket() for _ in range(40)]
    yield made
    for each in made:
        each.close()


def test_the_cpu_time_of_all_threads_counts_also_of_those_that_ended() -> None:
    before = sum(known(Usage().read())[:2])
    thread = threading.Thread(target=spin, args=(0.3,))
    thread.start()
    thread.join()
    read = Usage().read()
    assert 0.3 <= sum(known(read)[:2]) - before < 1.5
    of_the_process = psutil.Process().cpu_times()
    assert known(read)[0] == pytest.approx(of_the_process.user, abs=0.2)
    assert known(read)[1] == pytest.approx(of_the_process.system, abs=0.2)


def test_context_switches_are_those_that_the_kernel_counts() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(20):
        time.sleep(0.001)
    _user, _system, voluntary, involuntary = known(Usage().read())
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert before.ru_nvcsw + 20 <= voluntary <= after.ru_nvcsw
    assert before.ru_nivcsw <= involuntary <= after.ru_nivcsw


def test_a_forked_child_counts_from_its_own_start() -> None:
    spin(0.2)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        used = Usage().read()
        os.write(writing, repr((used.cpu_user_s or 0) + (used.cpu_system_s or 0)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert float(os.read(reading, 100)) < 0.2
    os.close(reading)
    os.close(writing)


def test_open_files_are_all_descriptors(sockets: list[socket.socket]) -> None:
    before = Usage().read().open_files
    assert before == psutil.Process().num_fds() - 1, "its own, which reads the folder"
    sockets.pop().close()
    assert Usage().read().open_files == before - 1


@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
def test_a_kernel_that_does_not_tell_their_number_is_counted_out(sockets: list[socket.socket]) -> None:
    number = psutil.Process().num_fds() - 1  # its own, which reads the folder
    assert counted("/proc/self/fd") == number
    assert counted("/proc/self/fd", most=number) == number
    assert counted("/proc/self/fd", most=number - 1) is None, "it stops there"
    sockets.pop().close()
    assert counted("/proc/self/fd") == number - 1


@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
def test_a_count_that_takes_long_is_not_made_with_every_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLOW_S", -1.0)
    usage = Usage("/proc/self/task")
    assert Path("/proc/self/task").stat().st_size == 0, "like the folder of descriptors before Linux 6.2"
    found = [usage.read().open_files for _ in range(21)]
    assert [number for number, count in enumerate(found) if count is not None] == [0, 10, 20]


def test_without_proc_the_number_is_not_known(tmp_path: Path) -> None:
    read = Usage(str(tmp_path / "absent")).read()
    assert (read.open_files is None) == (sys.platform == "linux")
    assert read.cpu_user_s is not None
