"""A process is known from its first moment on: by a pidfd of its own that waits at the eldest ones."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memwatch.agent.flight import newcomers, watcher
from memwatch.agent.flight.watcher import Watcher
from memwatch.agent.outbox import Outbox
from memwatch.records.flight import Death
from memwatch.transport.flights import folder
from memwatch.transport.private_folder import Folder
from tests.agent.conftest import Watched
from tests.agent.flight.conftest import Guest, death_of
from tests.agent.flight.test_deaths import tells_status
from tests.transport.flights.files import WHO, data, write
from tests.waiting import until

Start = Callable[[int], "Started"]
Watch = Callable[[str], Watcher]

STARTER = """
import os, sys
from pathlib import Path
from memwatch.agent.flight import newcomers
from memwatch.agent.flight.other_process import own_pid_space, started_ticks
from memwatch.agent.flight.recorder import Recorder
from memwatch.agent.flight.slots import JobSlots
from memwatch.transport.flights import folder
from memwatch.transport.private_folder import Folder

where, number = Folder(Path(sys.argv[1])), int(sys.argv[2])
nonce = f"{number:016x}"
name = folder.file_name(number, os.getpid(), nonce)
recorder = Recorder(where, JobSlots())
recorder.open(name, {"service": "web", "host": "here", "pid": os.getpid(), "nonce": nonce,
                     "started_at": "2026-11-30T00:00:00+00:00", "ticks": started_ticks(), "pid_space": own_pid_space()})
with where.opened(folder.FLIGHTS) as opened:
    told = newcomers.announce(opened, name)
print(told, flush=True)
sys.stdin.read()
"""


class Started:
    """A process that has opened its record and announced itself."""

    def __init__(self, where: Folder, number: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(STARTER), str(where.path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.told = int(self.process.stdout.readline())

    def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def start(where: Folder) -> Iterator[Callable[[int], Started]]:
    """Starts one; its age is a number, the eldest has the lowest."""
    made: list[Started] = []

    def begin(number: int) -> Started:
        made.append(Started(where, number * 10**17))
        return made[-1]

    yield begin
    for one in made:
        one.kill()


@pytest.fixture
def where(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "mw")


@pytest.fixture
def own(where: Folder) -> Iterator[str]:
    """The name of a record of this process, in no file of its own: the eldest."""
    path = write(where.path, data(who={**WHO, "host": "here"}), age=0, nonce="f" * 16)
    folder.held.add(path.name)
    yield path.name
    folder.held.discard(path.name)


@pytest.fixture
def watch(where: Folder) -> Iterator[Watch]:
    """A watcher of this process that has looked once, at 0."""
    made: list[Watcher] = []

    def begin(own: str) -> Watcher:
        made.append(Watcher(where, "here"))
        made[-1].step(own, 0.0)
        return made[-1]

    yield begin
    for one in made:
        one.close()


def said(made: Watcher, own: str, now: float) -> list[Death]:
    made.step(own, now)
    return list(made.waiting)


def test_a_process_that_ends_before_anybody_looked_has_an_exit_status(
    start: Start, watch: Watch, where: Folder, own: str
) -> None:
    eldest = watch(own)
    started = start(10)
    assert started.told == 1
    assert eldest.woken(5.0) == 5.0, "it wakes who watches"
    started.kill()
    (death,) = said(eldest, own, 5.0) if tells_status() else [None]
    if death is not None:
        assert (death.status, death.status_from) == (-signal.SIGKILL, "pidfd")


def test_an_end_wakes_who_watches_and_once(start: Start, watch: Watch, where: Folder, own: str) -> None:
    eldest = watch(own)
    started = start(10)
    eldest.woken(1.0)
    eldest.step(own, 1.0)
    assert eldest.woken(2.0) is None
    started.kill()
    soonest = eldest.woken(1.05)
    assert soonest is not None
    assert soonest >= 1.0 + watcher.SOONEST_S, "not at once after the last look"
    assert eldest.woken(2.0) is None


def test_who_takes_over_knows_how_all_have_ended(start: Start, watch: Watch, where: Folder) -> None:
    """The watchers and a younger process are killed together."""
    first, second = start(10), start(20)
    path = write(where.path, data(who={**WHO, "host": "here"}), age=0, nonce="f" * 16)
    own = path.rename(path.with_name(folder.file_name(3 * 10**18, 4711, "f" * 16))).name
    folder.held.add(own)
    younger = start(40)
    heir = watch(own)
    assert not heir.watches
    youngest = start(50)
    assert heir.woken(0.5)
    heir.step(own, 0.5)
    for one in (youngest, younger, second, first):
        one.kill()
    assert heir.woken(2.0) == 2.0
    if tells_status():
        assert [death.status for death in said(heir, own, 2.0)] == [-signal.SIGKILL] * 4
    folder.held.discard(own)


def test_one_that_has_just_started_leaves_the_dead_to_those_who_knew_them(
    start: Start, watch: Watch, where: Folder, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take the record away from those who know the exit status, and know none."""
    monkeypatch.setattr(watcher, "EVERY_S", 5.0)
    dead, _other = start(10), start(20)
    dead.kill()
    late = watch(own)
    late.step(own, watcher.NOTES_S + 0.1)
    late.step(own, watcher.NOTES_S + 0.2)
    assert late.waiting == ()
    late.step(own, 2 * watcher.EVERY_S + 1)
    assert len(said(late, own, 2 * watcher.EVERY_S + watcher.NOTES_S + 1)) == 1, "but not for ever"


def test_what_comes_through_the_socket_is_not_believed(start: Start, watch: Watch, where: Folder, own: str) -> None:
    """A pipe, a pidfd of another process, a name that leads out of the folder, no text at all."""
    eldest = watch(own)
    started = start(10)
    eldest.step(own, 1.0)
    (name,) = eldest.others.pidfds
    eldest._forget(name)
    before = descriptors()
    reader, writer = os.pipe()
    other = os.pidfd_open(os.getpid())
    for text, descriptor in (
        (name.encode(), reader),
        (name.encode(), other),
        (b"../../etc/passwd", reader),
        (b"\xff" * 5000, reader),
        (b"", reader),
    ):
        send(where, own, text, descriptor)
    for descriptor in (reader, writer, other):
        os.close(descriptor)
    eldest.woken(2.0)
    eldest.step(own, 2.0)
    assert descriptors() <= before + 1, "none stays but that of the process that lives"
    started.kill()
    if tells_status():
        assert [death.status for death in said(eldest, own, 3.0)] == [-signal.SIGKILL]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def send(where: Folder, own: str, text: bytes, descriptor: int) -> None:
    with where.opened(folder.FLIGHTS) as opened, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(f"/proc/self/fd/{opened}/{folder.socket_name(own)}")
        socket.send_fds(sender, [text], [descriptor])


def test_sockets_go_with_their_records(watch: Watch, where: Folder, own: str) -> None:
    eldest = watch(own)
    flights = where.path / folder.FLIGHTS
    left = flights / folder.socket_name(folder.file_name(5, 5, "5" * 16))
    left.write_text("")
    assert (flights / folder.socket_name(own)).is_socket()
    eldest.close()
    watch(own)
    assert not left.exists(), "its record is gone"
    with where.opened(folder.FLIGHTS) as opened:
        folder.remove(opened, own)
    assert list(flights.iterdir()) == []


def test_a_socket_that_somebody_has_removed_is_made_again(watch: Watch, where: Folder, own: str) -> None:
    eldest = watch(own)
    path = where.path / folder.FLIGHTS / folder.socket_name(own)
    path.unlink()
    eldest.step(own, 5.0)
    assert path.is_socket()


def test_no_more_than_four_are_told(start: Start, where: Folder) -> None:
    _others = [start(number) for number in range(1, 7)]
    watchers = []
    for number in range(1, 7):
        path = write(where.path, data(who={**WHO, "host": "here"}), age=number, nonce=f"{number:x}" * 16)
        made = newcomers.Newcomers()
        with where.opened(folder.FLIGHTS) as opened:
            made.listen(opened, where, path.name)
        watchers.append(made)
    started = start(80)
    assert started.told == newcomers.LISTENERS
    for made in watchers:
        made.close()


def test_the_last_report_brings_the_ends_of_others() -> None:
    """Those who watch may be stopped a moment after another one has crashed."""

    class Ends:
        deaths = ("the end",)

        def sent(self, many: int) -> None:
            raise AssertionError("not yet")

    def write_down(*_values: object, **values: object) -> bytes:
        return repr(values["deaths"]).encode()

    outbox = Outbox(write_down, buffer_size=5, parts=deque(), deaths=Ends())  # type: ignore[arg-type]
    assert outbox.goodbye() == b"('the end',)"


def test_an_agent_is_known_from_its_start_and_its_end_is_noticed_at_once(
    make_watched: Callable[..., Watched], guest: Callable[[str], Guest], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before anybody looks by himself."""
    monkeypatch.setattr(watcher, "EVERY_S", 1000.0)
    monkeypatch.setattr(watcher, "SELDOM_S", 1000.0)
    watched = make_watched()
    until(lambda: watched.agent._flight._watcher.watches)
    victim = guest("start()\nready(reported=False)\n").ready()
    victim.kill()
    death = death_of(watched, victim.pid)
    assert death.status == (-signal.SIGKILL if tells_status() else None)


def test_who_watches_looks_once_more_before_it_leaves(
    make_watched: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = make_watched()
    desk = watched.agent._flight
    until(lambda: desk._watcher.watches)
    looked: list[str] = []
    monkeypatch.setattr(desk._watcher, "step", lambda name, _now: looked.append(name))
    name = desk._recorder.name
    desk.begin_to_leave()
    assert looked == [name]
