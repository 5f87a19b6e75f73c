"""A copy of the process: it answers, whatever the host does meanwhile, and neither the host nor its peers notice."""

from __future__ import annotations

import contextlib
import functools
import gc
import mmap
import operator
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from memwatch.diagnosis import options
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import child, cloning, fork_pause, parent, tracing
from memwatch.diagnosis.copy.child import NICENESS
from memwatch.diagnosis.copy.parent import NotForked, in_child
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.referrers.recording import ReferrersRecording

pytestmark = pytest.mark.skipif(parent.impossible() is not None, reason="no copy of a process can be had here")
NEEDS_MB = 200.0


def busy() -> bytes:
    """Work without an end."""
    while True:
        pass


def copied(work: Callable[[], bytes], meter: Meter | None = None) -> Generator[float, None, bytes]:
    """A copy yet to be made."""
    return in_child(work, Host(), meter or Meter(), needs_mb=NEEDS_MB)


def begun(work: Callable[[], bytes]) -> Generator[float, None, bytes]:
    """A copy that works."""
    running = copied(work)
    next(running)
    return running


def ended(running: Generator[float, None, bytes]) -> bytes:
    """Its answer."""
    while True:
        try:
            time.sleep(next(running))
        except StopIteration as end:
            return bytes(end.value)


def copies() -> list[psutil.Process]:
    """The children that are copies of this process; other tests' servers may run beside them."""
    ours = psutil.Process()
    found = []
    for each in ours.children():
        with contextlib.suppress(psutil.Error):
            if each.cmdline() == ours.cmdline():
                found.append(each)
    return found


def waited_for() -> tuple[int, int] | None:
    """What the host gets that asks for any child that has ended; ``None`` where it has no child."""
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None


def copy_that(is_so: Callable[[psutil.Process], bool]) -> psutil.Process:
    """The one copy, once it is so."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.Error):
            (only,) = copies()
            if is_so(only):
                return only
    raise AssertionError(f"not so within 30 seconds: {copies()}")


@pytest.fixture
def flag() -> Iterator[mmap.mmap]:
    """A byte that copies of the process share with it."""
    shared = mmap.mmap(-1, 1)
    yield shared
    shared.close()


def test_it_sees_what_the_process_holds_and_costs_are_told() -> None:
    kept = {"price": 7}
    meter = Meter()
    assert ended(copied(lambda: str(kept["price"]).encode(), meter)) == b"7"
    assert copies() == []
    figures = meter.figures()
    assert figures["forks"] == 1
    assert 0 < figures["fork_ms"] <= figures["longest_pause_ms"]
    assert figures["child_mb"] > 0


def test_threads_that_want_the_interpreter_do_not_keep_a_copy_from_its_answer() -> None:
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            sum(range(2_000))

    def compress() -> None:
        while not stop.is_set():
            zlib.compress(bytes(50_000))

    threads = [threading.Thread(target=each) for each in (compute, compute, compress, compress)]
    for thread in threads:
        thread.start()
    try:
        for number in range(15):
            running = in_child(lambda: bytes(500_000), Host(), Meter(), needs_mb=NEEDS_MB)
            assert len(ended(running)) == 500_000, number
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert copies() == []
    assert sys.getswitchinterval() == pytest.approx(0.005)


def test_the_host_is_not_signalled_and_does_not_find_it_among_its_children() -> None:
    said: list[int] = []
    before = signal.signal(signal.SIGCHLD, lambda number, _frame: said.append(number))
    try:
        running = begun(busy)
        assert waited_for() in (None, (0, 0)), "none has ended: other tests' servers may run beside it"
        running.close()
        assert waited_for() in (None, (0, 0))
        mine = os.fork()
        if not mine:
            os._exit(7)
        assert os.waitpid(-1, 0) == (mine, 7 << 8), "the host's own children are its own"
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert said == [signal.SIGCHLD], "of the host's own child alone"


def test_what_the_host_closes_is_closed_for_its_peers() -> None:
    ours, peers = socket.socketpair()
    peers.settimeout(30)
    running = begun(busy)
    copy_that(lambda copy: len(copy.open_files()) == 0 and copy.num_fds() == 1)
    ours.close()
    assert peers.recv(1) == b""
    peers.close()
    running.close()


def test_a_copy_is_killed_first_and_runs_at_low_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "NICENESS", NICENESS)
    running = begun(busy)
    copy = copy_that(
        lambda copy: copy.num_fds() == 1 and copy.nice() >= NICENESS >= 10 and copy.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    )
    assert Path(f"/proc/{copy.pid}/oom_score_adj").read_text().strip() == "1000"
    status = Path(f"/proc/{copy.pid}/status").read_text().splitlines()
    blocked = next(line.split()[1] for line in status if line.startswith("SigBlk"))
    assert int(blocked, 16) >> (signal.SIGTERM - 1) & 1
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()), "the host's own signals come through again"
    assert int(Path(f"/proc/{copy.pid}/coredump_filter").read_text(), 16) == 0
    running.close()


_told_at_fork: list[mmap.mmap] = []
os.register_at_fork(after_in_child=lambda: [each.write_byte(1) for each in _told_at_fork])


class Mortal:
    """Says that it ended."""

    def __init__(self, flag: mmap.mmap) -> None:
        self._flag = flag

    def __del__(self) -> None:
        self._flag[0] = 1


def test_no_code_of_the_host_runs_in_it(flag: mmap.mmap) -> None:
    kept = [Mortal(flag) for _ in range(20)]
    cycle: list[Any] = [Mortal(flag)]
    cycle.append(cycle)
    gc.disable()
    _told_at_fork.append(flag)
    try:
        del cycle  # garbage, which a collection in the copy would end
        work = ReferrersRecording(options.referrers({"type": f"{__name__}.Mortal", "values": True}), Host(apart_s=0))
        running = work.run(Meter())
        with contextlib.suppress(StopIteration):
            while True:
                next(running)
        assert flag[0] == 0
    finally:
        _told_at_fork.clear()
        kept.clear()
        gc.enable()
        gc.collect()


def test_one_that_waits_for_a_lock_which_nobody_holds_any_more_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "ASLEEP_S", 0.05)
    lock = threading.Lock()
    lock.acquire()
    with pytest.raises(NotForked, match="waited for a lock"):
        ended(copied(lambda: bytes(lock.acquire())))
    assert copies() == []


def test_one_that_dies_or_fails_is_told() -> None:
    with pytest.raises(NotForked, match="was killed"):
        ended(copied(lambda: bytes(os.kill(os.getpid(), signal.SIGKILL) or 0)))
    with pytest.raises(NotForked, match="ZeroDivisionError"):
        ended(copied(lambda: bytes(1 // 0)))

    def refuse() -> bytes:
        raise Refused("there is no instance")

    with pytest.raises(Refused, match="there is no instance"):
        ended(copied(refuse))
    assert copies() == []


def test_its_time_and_its_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    def hoard() -> bytes:
        kept = [bytearray(b"x" * 1_000_000) for _ in range(400)]
        while kept:
            pass
        return b""

    with pytest.raises(NotForked, match="200 were allowed"):
        ended(copied(hoard))
    monkeypatch.setattr(parent, "MOST_BYTES", 100_000)
    with pytest.raises(NotForked, match="sent too much"):
        ended(copied(lambda: bytes(1_000_000)))
    monkeypatch.setattr(parent, "LONGEST_S", 0.3)
    monkeypatch.setattr(parent, "PATIENCE", 100.0)
    with pytest.raises(NotForked, match="was ended after 0 s of CPU: the heap is large"):
        ended(copied(busy))
    assert copies() == []


def test_a_copy_that_gets_no_processor_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "LONGEST_S", 0.5)
    monkeypatch.setattr(parent, "PATIENCE", 60.0)
    running = begun(lambda: b"done" if sum(range(1_000_000)) else b"")
    (copy,) = copies()
    copy.suspend()
    began = time.monotonic()
    while time.monotonic() < began + 1.0:
        time.sleep(next(running))
    copy.resume()
    assert ended(running) == b"done"


def test_a_copy_that_never_gets_a_processor_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "LONGEST_S", 0.2)
    monkeypatch.setattr(parent, "PATIENCE", 5.0)
    running = begun(busy)
    copies()[0].suspend()
    with pytest.raises(NotForked, match=r"was ended after 1 s, in which it got 0\.\d s of CPU: the machine is busy"):
        ended(running)
    assert copies() == []


def test_one_that_is_called_off_is_gone() -> None:
    before = psutil.Process().num_fds()
    running = begun(busy)
    assert len(copies()) == 1
    running.close()
    assert copies() == []
    assert psutil.Process().num_fds() == before


@pytest.mark.parametrize("name", ["trace", "profile"])
def test_a_thread_that_is_followed_is_not_forked(name: str) -> None:
    called: list[str] = []
    begin, end = getattr(sys, f"set{name}"), functools.partial(getattr(sys, f"set{name}"), None)
    begin(lambda *_event: called.append(name))
    try:
        with pytest.raises(NotForked, match="follows this thread"):
            next(copied(busy))
    finally:
        end()
    assert called
    assert copies() == []


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is of Python 3.12")
def test_a_process_that_is_monitored_is_not_forked() -> None:
    monitoring: Any = getattr(sys, "monitoring", None)
    monitoring.use_tool_id(4, "a profiler")
    try:
        with pytest.raises(NotForked, match=r"sys\.monitoring"):
            next(copied(busy))
    finally:
        monitoring.free_tool_id(4)
    assert copies() == []


@pytest.mark.parametrize("name", ["trace", "profile"])
def test_what_follows_the_thread_at_the_last_moment_is_taken_off_in_a_copy(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "active", lambda: None)
    begin, get = getattr(sys, f"set{name}"), getattr(sys, f"get{name}")
    running = copied(lambda: repr(get()).encode())
    begin(lambda *_event: None)
    try:
        answer = ended(running)
    finally:
        begin(None)
    assert answer == b"None"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is of Python 3.12")
def test_what_monitors_the_process_at_the_last_moment_is_taken_off_in_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "active", lambda: None)
    monitoring: Any = getattr(sys, "monitoring", None)
    events = (monitoring.events.PY_START, monitoring.events.CALL, monitoring.events.LINE, monitoring.events.RAISE)
    called: list[int] = []

    def work() -> bytes:
        before = len(called)
        with contextlib.suppress(ValueError):
            max(())  # type: ignore[type-var]
        return f"{before > 0} {len(called) - before}".encode()

    running = copied(work)
    monitoring.use_tool_id(4, "a profiler")
    try:
        for event in events:
            monitoring.register_callback(4, event, lambda *_event: called.append(1))
        monitoring.set_events(4, functools.reduce(operator.or_, events))
        answer = ended(running)
    finally:
        monitoring.set_events(4, 0)
        monitoring.free_tool_id(4)
    assert answer == b"True 0"


def test_where_there_is_no_room_there_is_no_fork() -> None:
    with pytest.raises(Refused, match="near its memory limit"):
        next(in_child(busy, Host(heap_limit_mb=1), Meter(), needs_mb=1))
    assert copies() == []


def test_a_process_that_a_fork_would_pause_for_long_is_not_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_pause, "US_PER_PAGE", 50.0)
    with pytest.raises(NotForked, match=r"would pause it for about .* ms, 60 are allowed"):
        next(in_child(busy, Host(), Meter()))
    assert copies() == []


def test_a_system_that_refuses_to_fork_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cloning.NUMBERS, os.uname().machine, 100_000)  # no such system call
    descriptors = psutil.Process().num_fds()
    with pytest.raises(NotForked, match="refuses to fork"):
        next(in_child(busy, Host(), Meter(), needs_mb=1))
    assert psutil.Process().num_fds() == descriptors
    assert gc.isenabled()


def test_a_host_that_forks_meanwhile_takes_nothing_away() -> None:
    ready, go = os.pipe()
    running = begun(lambda: str(sum(range(3_000_000))).encode())
    mine = os.fork()
    if not mine:
        with contextlib.suppress(BaseException):
            running.close()
        os._exit(0)
    os.waitpid(mine, 0)
    assert ended(running) == str(sum(range(3_000_000))).encode()
    os.close(ready)
    os.close(go)


def test_a_copy_ends_with_its_host() -> None:
    program = (
        "from tests.diagnosis.copy.test_parent import begun, busy, copies\n"
        "import time\n"
        "running = begun(busy)\n"
        "print(copies()[0].pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    host = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    copy = psutil.Process(int(host.stdout.readline()))
    host.kill()
    host.wait()
    host.stdout.close()
    copy.wait(30)


def test_parts_of_any_length_arrive_in_order_while_it_works() -> None:
    taken: list[bytes] = []

    def work(send: Callable[[bytes], None]) -> bytes:
        for number in range(40):
            send(bytes([number]) * (number * 100_000))
        return b"over"

    running = parent.streamed(work, Host(), Meter(), lambda: taken.append, needs_mb=NEEDS_MB)
    assert ended(running) == b"over"
    assert [len(part) for part in taken] == [number * 100_000 for number in range(40)]
    assert all(part == part[:1] * len(part) for part in taken)
    assert sum(map(len, taken)) > parent.MOST_BYTES


def test_the_parts_begin_again_with_the_next_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "ASLEEP_S", 0.05)
    tries: list[list[bytes]] = []
    flag = mmap.mmap(-1, 1)  # shared with the copies

    def begin() -> Callable[[bytes], None]:
        tries.append([])
        return tries[-1].append

    def work(send: Callable[[bytes], None]) -> bytes:
        send(b"first")
        if not flag[0]:
            flag[0] = 1
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
        send(b"second")
        return b"over"

    running = parent.streamed(work, Host(), Meter(), begin, needs_mb=NEEDS_MB)
    assert ended(running) == b"over"
    assert tries == [[b"first"], [b"first", b"second"]]


def test_a_reader_that_is_slow_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "ASLEEP_S", 0.05)
    taken: list[int] = []

    def take(part: bytes) -> None:
        time.sleep(0.1)  # the copy sleeps too, in front of a full pipe
        taken.append(len(part))

    def work(send: Callable[[bytes], None]) -> bytes:
        for _ in range(6):
            send(bytes(3_000_000))
        return b"over"

    assert ended(parent.streamed(work, Host(), Meter(), lambda: take, needs_mb=NEEDS_MB)) == b"over"
    assert taken == [3_000_000] * 6
