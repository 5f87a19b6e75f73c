"""Whatever is wrong with the folder, the host feels nothing and the agent goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.outages.disk import SmallDisk, can_mount
from memwatch.agent.flight import notes
from memwatch.agent.flight.other_process import own_pid_space
from memwatch.agent.flight.recorder import Recorder
from memwatch.agent.flight.slots import JobSlots
from memwatch.agent.flight.watcher import NOTES_S, Watcher
from memwatch.agent.work import meter
from memwatch.transport import TransportUnavailable
from memwatch.transport.flights import folder, layout
from memwatch.transport.private_folder import Folder
from tests.agent.conftest import Watched
from tests.agent.flight.conftest import Guest, death_of, deaths_of, has_met, pidfds_of
from tests.agent.flight.test_deaths import IN_A_JOB, names
from tests.transport.flights.files import KEY, WHO, data, write
from tests.waiting import until

Start = Callable[[str], Guest]
Make = Callable[..., Watched]


def snapshots_go_on(watched: Watched, many: int = 3) -> None:
    seen = len(watched.sequence())
    watched.wait(lambda reports: sum(len(report.snapshots) for report in reports) >= seen + many)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * layout.SIZE, b"x" * 100, os.urandom(layout.SIZE), bytes(data(who={})), bytes(data()) + b"more"],
    ids=["empty", "zeros", "torn", "noise", "of nobody", "too long"],
)
def test_what_is_no_record_is_removed_and_counted(
    make_watched: Make, tmp_path: Path, flights: Path, content: bytes
) -> None:
    path = write(tmp_path / "transport", content)
    watched = make_watched()
    until(lambda: not path.exists() and names(flights))
    assert watched.agent._flight._watcher.spoilt == 1
    assert deaths_of(watched) == []
    snapshots_go_on(watched)


def test_links_pipes_and_foreign_files_hang_nobody(make_watched: Make, tmp_path: Path, flights: Path) -> None:
    link = write(tmp_path / "transport", b"", nonce="0" * 16)
    link.unlink()
    secret = tmp_path / "secret"
    secret.write_text("mine")
    link.symlink_to(secret)
    pipe = write(tmp_path / "transport", b"", nonce="1" * 16)
    pipe.unlink()
    os.mkfifo(pipe)
    inner = write(tmp_path / "transport", b"", nonce="2" * 16)
    inner.unlink()
    inner.mkdir()
    (flights / "notes.txt").write_text("not ours")
    watched = make_watched()
    until(lambda: watched.agent._flight._watcher.spoilt >= 3)
    snapshots_go_on(watched)
    assert secret.read_text() == "mine"
    assert (flights / "notes.txt").exists()
    assert not link.is_symlink()


def test_a_record_of_a_dead_process_whose_pid_lives_again(make_watched: Make, tmp_path: Path) -> None:
    """This test's own pid, of a process that began at another time."""
    ours = {**WHO, "host": "here", "pid": os.getpid(), "ticks": 1, "pid_space": own_pid_space()}
    write(tmp_path / "transport", data(who=ours, running=[("view", "shop", time.time(), 0.0)]), pid=os.getpid())
    watched = make_watched()
    death = death_of(watched, os.getpid())
    assert death.status is None
    assert death.flight is not None
    assert death.flight.running


def test_a_parents_note_tells_the_status_where_the_kernel_does_not(make_watched: Make, tmp_path: Path) -> None:
    write(tmp_path / "transport", data(who={**WHO, "host": "here"}), age=1, nonce="0123456789abcdee")
    path = write(tmp_path / "transport", data(who={**WHO, "host": "here"}), age=2)
    where = Folder(tmp_path / "transport")
    notes.write_status([where], 4711, -9)
    notes.write_status([where], 4712, -9)
    assert layout.read(path.read_bytes()).status == -9, "the youngest with that pid"
    watched = make_watched()
    until(lambda: len(deaths_of(watched)) == 2)
    assert {(death.status, death.status_from) for death in deaths_of(watched)} == {(None, ""), (-9, "hook")}


@pytest.mark.skipif(not can_mount(), reason="a small disk of its own takes the right to mount one, as root has it")
def test_a_full_disk_takes_no_record_and_harms_none_that_is_there(tmp_path: Path) -> None:
    with SmallDisk(tmp_path / "disk", 1, (os.getuid(), os.getgid())) as disk:
        where = Folder(Path(disk.folder) / "transport")
        recorder = Recorder(where, JobSlots())
        name = folder.file_name(1, 1, "0" * 16)
        with disk.full(), pytest.raises((OSError, TransportUnavailable), match=r"[Nn]o space|free space"):
            recorder.open(name, WHO)
        assert names(where.path / "flights") == []
        assert not recorder.is_open
        recorder.open(name, WHO)
        with disk.full():
            slots = recorder.slots
            for number in range(100):
                recorder.second(float(number))
            assert slots.store[layout.RSS_AT :].strip(b"\0"), "writing needs no room any more"
        recorder.close(remove=True)


def test_a_folder_that_cannot_be_written_is_said_once(
    make_watched: Make, tmp_path: Path, flights: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a read-only disk, also for root: the folder's place is taken by a file."""
    flights.parent.mkdir(mode=0o700)
    flights.write_text("")
    watched = make_watched()
    snapshots_go_on(watched, 5)
    said = [record.getMessage() for record in caplog.records if "cannot be kept" in record.getMessage()]
    assert len(said) == 1
    assert str(flights) in said[0]
    assert watched.agent._flight.deaths == ()
    flights.unlink()
    watched.agent._flight.next_at = 0.0
    until(lambda: watched.agent._flight._recorder.is_open)


def test_a_folder_removed_while_running_is_made_again(make_watched: Make, guest: Start, flights: Path) -> None:
    watched = make_watched()
    victim = guest(IN_A_JOB).ready()
    until(lambda: len(names(flights)) == 2)
    shutil.rmtree(flights)
    until(lambda: len(names(flights)) == 2)
    has_met(watched)
    victim.kill()
    flight = death_of(watched, victim.pid).flight
    assert flight is not None
    assert [job.name for job in flight.running] == ["shop.reports.export"]


def test_a_file_cut_short_is_no_trap_for_those_who_look(make_watched: Make, guest: Start, flights: Path) -> None:
    watched = make_watched()
    victim = guest("start()\nready()\n").ready()
    (path,) = flights.glob(f"*-{victim.pid}-*.flight")
    victim.kill()
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(100)
    until(lambda: len(names(flights)) == 1)
    snapshots_go_on(watched)


def test_switched_off_nothing_is_made(make_watched: Make, flights: Path) -> None:
    watched = make_watched(flight_recorder=False)
    snapshots_go_on(watched, 5)
    assert not flights.exists()
    assert all(report.oom is None and not report.deaths for report in watched.reports)


def test_a_name_too_long_for_the_record_is_said_and_leaves_no_file(tmp_path: Path) -> None:
    recorder = Recorder(Folder(tmp_path / "mw"), JobSlots())
    with pytest.raises(ValueError, match="room"):
        recorder.open(folder.file_name(1, 1, "0" * 16), {**WHO, "host": "😀" * 300, "service": "😀" * 300})
    assert not (tmp_path / "mw").exists()


def test_jobs_go_on_when_the_record_is_closed_amid_them(tmp_path: Path) -> None:
    meter.begin_process(recorded=True)
    slots = meter.slots()
    assert slots is not None
    recorder = Recorder(Folder(tmp_path / "mw"), slots)
    before = meter.begin("view", "before")
    recorder.open(folder.file_name(1, 1, WHO["nonce"]), WHO)  # type: ignore[arg-type]
    within = meter.begin("task", "within")
    assert before is not None
    assert within is not None
    record = recorder.read()
    assert record is not None
    assert record.key == KEY
    assert [job.name for job in record.running] == ["before", "within"]
    recorder.close(remove=True)
    within.end()
    before.end()
    meter.end_process()
    assert names(tmp_path / "mw" / "flights") == []


def test_what_another_machine_left_in_a_shared_folder_is_the_servers(
    make_watched: Make, guest: Start, tmp_path: Path, flights: Path
) -> None:
    long_ago = {**WHO, "host": "elsewhere"}
    lately = [(time.time() - 60, 100.0)]
    foreign = write(tmp_path / "transport", data(who=long_ago, seconds=lately), age=1)
    os.utime(foreign, (time.time() - 10**6,) * 2)  # in tmpfs, stores into a map leave the file's time as it was
    old = write(tmp_path / "transport", data(who=long_ago), age=2, nonce="a" * 16)
    watched = make_watched()
    victim = guest(IN_A_JOB).ready()
    has_met(watched)
    victim.kill()
    death_of(watched, victim.pid)
    assert foreign.exists()
    assert not old.exists(), "nobody has asked for it within a day"
    assert len(deaths_of(watched)) == 1
    assert watched.hub.left(KEY.replace("web1", "elsewhere")) is not None


def test_the_eldest_of_each_machine_watch(make_watched: Make, guest: Start) -> None:
    """Two elder processes of another machine cannot see what ends here."""
    elders = [guest("start(host='elsewhere')\nready()\n").ready() for _ in range(2)]
    watcher = guest("start()\nready()\n").ready()
    victim = guest(IN_A_JOB).ready()
    watched = make_watched(host="third")
    until(lambda: watched.agent._flight._watcher.watches)
    until(lambda: victim.pid in pidfds_of(watcher.pid))
    victim.kill()
    death_of(watched, victim.pid)
    assert all(one.process.poll() is None for one in (*elders, watcher))


def test_what_was_reported_waits_no_longer_where_the_folder_cannot_be_opened(tmp_path: Path) -> None:
    """Else the agent would send it again and again, without a pause."""
    where = Folder(tmp_path / "mw")
    write(where.path, data(who={**WHO, "host": "here"}))
    own = write(where.path, data(who={**WHO, "host": "here"}), nonce="f" * 16, age=2)
    watcher = Watcher(where, "here")
    watcher.step(own.name, 0.0)
    watcher.step(own.name, NOTES_S + 1)
    assert len(watcher.waiting) == 1
    where.path.rename(tmp_path / "away")
    where.path.write_text("in its place")
    with pytest.raises(TransportUnavailable):
        watcher.sent(1)
    assert watcher.waiting == ()
    watcher.close()


def test_one_record_that_cannot_be_read_keeps_no_other_from_being_reported(tmp_path: Path) -> None:
    where = Folder(tmp_path / "mw")
    write(where.path, data(who={**WHO, "host": "here"}, running=[("view", "shop", 1e17, 0.0)]), nonce="a" * 16, age=1)
    write(where.path, data(who={**WHO, "host": "here"}), age=2)
    own = write(where.path, data(who={**WHO, "host": "here"}), nonce="f" * 16, age=3)
    watcher = Watcher(where, "here")
    watcher.step(own.name, 0.0)
    watcher.step(own.name, NOTES_S + 1)
    assert (len(watcher.waiting), watcher.spoilt) == (1, 1)
    watcher.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_process_that_becomes_another_user_uses_the_folder_of_that_user(tmp_path: Path) -> None:
    """As gunicorn's ``user`` and Celery's ``--uid``: after the fork, when the agent is made already."""
    url = f"redis://localhost:1/?prefix={tmp_path.name}"
    code = f"""
import os
from datetime import UTC, datetime
from memwatch import agent
from memwatch.agent.flight.desk import FlightDesk
from memwatch.sampling.identity import describe_process
said = []
desk = FlightDesk(agent.AgentConfig(transport={url!r}, command_key=b"k" * 32, host="here"), lambda *it: said.append(it))
process = describe_process(service="web", host="here", release="", nonce="0" * 16, cpu_budget_percent=1.0)
os.setuid(12345)
desk.step(process, 0.0, away=False)
assert desk._recorder.is_open, said
print(desk._recorder.where.path)
"""
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    path = Path(made.stdout.strip())
    try:
        assert path.stat().st_uid == 12345
    finally:
        shutil.rmtree(path)


def test_a_note_goes_to_the_child_and_not_to_a_process_of_another_container(tmp_path: Path) -> None:
    """Containers that share the folder have the same pids."""
    where = Folder(tmp_path / "mw")
    ours = {**WHO, "pid_space": own_pid_space()}
    child = write(where.path, data(who=ours), age=1, nonce="a" * 16)
    other = write(where.path, data(who={**WHO, "pid_space": own_pid_space() + 1}), age=2, nonce="b" * 16)
    notes.write_status([where], 4711, -9)
    assert layout.read(child.read_bytes()).status == -9
    assert layout.read(other.read_bytes()).status is None


def test_a_host_that_closes_all_descriptors_keeps_its_new_ones(tmp_path: Path) -> None:
    """While the file of one that ended is held; its end is reported all the same."""
    code = f"""
import os, socket
from pathlib import Path
from memwatch.agent.flight.watcher import NOTES_S, Watcher
from memwatch.transport.private_folder import Folder
from tests.transport.flights.files import WHO, data, write
where = Folder(Path({str(tmp_path)!r}, "mw"))
write(where.path, data(who={{**WHO, "host": "here"}}))
own = write(where.path, data(who={{**WHO, "host": "here"}}), nonce="f" * 16, age=2)
watcher = Watcher(where, "here")
watcher.step(own.name, 0.0)
(ended,) = watcher._ended.values()
os.closerange(3, 100)
pairs = [socket.socketpair() for _ in range(4)]
numbers = {{each.fileno() for pair in pairs for each in pair}}
assert {{ended.descriptor, watcher.others._newcomers.descriptor}} <= numbers
for now in (10.0, 20.0, 30.0):
    watcher.step(own.name, now)
assert len(watcher.waiting) == 1
watcher.close()
for one, other in pairs:
    one.send(b"whole")
    assert other.recv(5) == b"whole"
print("whole")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "whole\n", done.stderr
