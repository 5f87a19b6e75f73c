"""``memwatch attach``: the agent in a process that runs already."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memwatch.launch import attach, attached
from tests.launch.running import Hub, done, environment, running
from tests.waiting import until

remote = pytest.mark.skipif(sys.version_info < (3, 14), reason="sys.remote_exec came with Python 3.14")
PROGRAM = """
import sys, time
class Parcel: pass
parcels = [Parcel() for _ in range(5000)]
print("up", flush=True)
while True:
    time.sleep(0.02)
"""


@pytest.fixture
def program(hub: Hub, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """It runs, and has no agent."""
    script = tmp_path / "depot.py"
    script.write_text(PROGRAM)
    plain = {name: value for name, value in environment(hub).items() if not name.startswith("MEMWATCH_")}
    with running([sys.executable, str(script)], plain, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process


def attaching(hub: Hub, tmp_path: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "memwatch", "attach", *map(str, arguments)]
    return done(line, environment(hub), tmp_path)


def left_behind() -> set[str]:
    return {
        each.name for place in ("/tmp", "/var/tmp", "/dev/shm") for each in Path(place).glob("memwatch-*/memwatch_*")
    }


@remote
def test_a_process_is_watched_until_the_agent_is_taken_out(
    program: subprocess.Popen[str], hub: Hub, tmp_path: Path
) -> None:
    before = left_behind()
    first = attaching(hub, tmp_path, program.pid, "--service", "shop", "--within", 100)
    assert (first.returncode, first.stdout, first.stderr) == (0, f"process {program.pid} is watched\n", "")
    assert hub.wait_for(program.pid).process.service == "shop"
    again = attaching(hub, tmp_path, program.pid)
    assert (again.returncode, again.stderr) == (1, f"memwatch: process {program.pid}: it has an agent already\n")
    out = attaching(hub, tmp_path, program.pid, "--detach", "--within", 100)
    assert (out.returncode, out.stdout) == (0, f"process {program.pid} is no longer watched\n")
    assert until(lambda: any(each.goodbye for each in hub.of(program.pid)))
    assert attaching(hub, tmp_path, program.pid, "--within", 100).returncode == 0
    assert program.poll() is None
    assert (tmp_path / "errors").read_text() == ""
    assert left_behind() == before


@remote
def test_one_look_prints_the_memory_and_leaves_nothing(
    program: subprocess.Popen[str], hub: Hub, tmp_path: Path
) -> None:
    got = attaching(hub, tmp_path, program.pid, "--once", "--within", 100)
    assert (got.returncode, got.stderr) == (0, "")
    rows = {line.split("  ")[0]: line.split() for line in got.stdout.splitlines()}
    assert rows["__main__.Parcel"][1:] == ["5,000", "objects"]
    assert "Resident (RSS)" in rows
    assert hub.of(program.pid) == []
    gone = attaching(hub, tmp_path, program.pid, "--detach", "--within", 100)
    assert (gone.returncode, gone.stderr) == (1, f"memwatch: process {program.pid}: it has no agent\n")


@remote
@pytest.mark.parametrize("way", ["option", "variable"])
def test_where_remote_debugging_is_switched_off_nothing_is_done(hub: Hub, tmp_path: Path, way: str) -> None:
    options = ["-X", "disable-remote-debug"] if way == "option" else []
    environ = environment(hub, **{"PYTHON_DISABLE_REMOTE_DEBUG": "1"} if way == "variable" else {})
    program = "import time; print('up', flush=True); time.sleep(100)"
    with running([sys.executable, *options, "-c", program], environ, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        got = attaching(hub, tmp_path, process.pid, "--once")
    assert got.returncode == 1
    assert "remote debugging not switched off" in got.stderr


@remote
def test_a_process_that_executes_no_python_is_left_as_it_is(hub: Hub, tmp_path: Path) -> None:
    wait = "import sys; print('up', flush=True); sys.stdin.read(); print('on', flush=True)"
    before = left_behind()
    with running([sys.executable, "-c", wait], environment(hub), tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        got = attaching(hub, tmp_path, process.pid, "--once", "--within", 0.5)
        assert got.returncode == 1
        assert "has executed no Python for 0.5 seconds" in got.stderr
        out, _ = process.communicate("")
    assert (out, (tmp_path / "errors").read_text()) == ("on\n", "")
    assert left_behind() == before


@remote
def test_what_is_no_python_says_so(hub: Hub, tmp_path: Path) -> None:
    with running(["sleep", "100"], environment(hub), tmp_path) as process:
        got = attaching(hub, tmp_path, process.pid, "--once")
    assert got.returncode == 1
    assert got.stderr.startswith(f"memwatch: process {process.pid} takes no agent: ")
    nobody = attaching(hub, tmp_path, 2**22 + 1, "--once")
    assert (nobody.returncode, nobody.stderr) == (1, f"memwatch: there is no process {2**22 + 1} here\n")


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="sys.remote_exec came with Python 3.14: here it is there")
def test_an_older_python_says_what_is_needed(hub: Hub, tmp_path: Path) -> None:
    got = attaching(hub, tmp_path, os.getpid(), "--once")
    assert got.returncode == 1
    assert got.stderr.startswith(
        f"memwatch: this is Python {sys.version_info[0]}.{sys.version_info[1]}. Attaching needs"
    )
    assert f"-m memwatch attach {os.getpid()}" in got.stderr


def test_a_wrong_option_is_named_before_anything_is_done(hub: Hub, tmp_path: Path) -> None:
    for options in (["--service", "a/b"], ["--transport", "http://hub"], ["--key-file", "none"]):
        got = attaching(hub, tmp_path, os.getpid(), *options)
        assert (got.returncode, got.stdout) == (2, "")
        assert got.stderr.startswith(f"memwatch: {options[0]}")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[attach.Folder]:
    (tmp_path / "given").mkdir()
    made = attach.Folder(str(tmp_path / "given"), str(tmp_path / "given"), os.getpid())
    yield made
    made.close(remove=True)


@pytest.mark.parametrize("trick", ["link", "pipe"])
def test_an_answer_is_read_from_a_regular_file_alone(folder: attach.Folder, tmp_path: Path, trick: str) -> None:
    assert folder.answer() is None
    answer = tmp_path / "given" / "answer"
    (tmp_path / "secret").write_text("watched\n")
    if trick == "link":
        answer.symlink_to(tmp_path / "secret")
    else:
        os.mkfifo(answer)
    with pytest.raises(attach.CannotAttach):
        folder.answer()


def test_the_folder_may_be_moved_and_nothing_is_written_elsewhere(folder: attach.Folder, tmp_path: Path) -> None:
    (tmp_path / "given").rename(tmp_path / "moved")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "given").symlink_to(tmp_path / "elsewhere")
    folder.write(attach._WITHDRAWN, {})
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert len(list((tmp_path / "moved").iterdir())) == 1


def test_what_is_withdrawn_removes_itself(folder: attach.Folder, tmp_path: Path) -> None:
    folder.write("raise SystemExit('of the test')", {})
    assert folder.withdraw()
    exec((tmp_path / "given" / attach._NAME).read_text())
    assert not (tmp_path / "given").exists()
    assert not folder.withdraw()


GARBAGE = """
import gc, os, threading, time
from memwatch.launch import attached

class Parcel:
    def __del__(self):
        finalized_in.add(threading.get_native_id())

def ask(what):
    attached.begin(what, environ, f"{what}.answer")
    while not os.path.exists(f"{what}.answer"):
        for _ in range(5):
            parcel = Parcel()
            parcel.itself = parcel
        del parcel
    with open(f"{what}.answer") as file:
        print(file.read().partition("\\n")[0], end=" ")
    os.unlink(f"{what}.answer")

finalized_in = set()
environ = {name: value for name, value in os.environ.items() if name.startswith("MEMWATCH_")}
gc.set_threshold(1, 1, 1)
for what in ("look", "put in", "look", "look", "take out", "look"):
    ask(what)
time.sleep(0.1)
print(finalized_in == {threading.get_native_id()}, gc.get_threshold(), gc.isenabled())
"""


def test_finalizers_of_the_program_run_in_its_own_thread(hub: Hub, tmp_path: Path) -> None:
    """A collection runs in the thread whose allocation passes the threshold: here each one does."""
    got = done([sys.executable, "-c", GARBAGE], environment(hub), tmp_path)
    assert (got.stdout, got.stderr) == ("looked watched looked looked ended looked True (1, 1, 1) True\n", "")


TWICE = """
import os, time
from memwatch.launch import attached

attached.begin("look", {}, "first")
attached.begin("look", {}, "second")
while not (os.path.exists("first") and os.path.exists("second")):
    time.sleep(0.01)
for name in ("first", "second"):
    with open(name) as file:
        print(file.read().partition("\\n")[0])
"""


def test_two_do_not_work_at_the_same_time(hub: Hub, tmp_path: Path) -> None:
    got = done([sys.executable, "-c", TWICE], environment(hub), tmp_path)
    assert (got.stdout, got.stderr) == ("looked\nfailed\n", "")


def test_the_answer_of_a_failure_is_the_reason(tmp_path: Path) -> None:
    attached.begin(attached.TAKE_OUT, {}, str(tmp_path / "answer"))
    assert (tmp_path / "answer").read_text() == "failed\nit has no agent"
