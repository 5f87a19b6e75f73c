"""The folder of the flight records: whose process has ended, and what it has left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memwatch.transport.flights import checks, folder
from memwatch.transport.local import LocalHub
from tests.transport.flights.files import AT, KEY, NONCE, data, write

HOLDS = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR)
fcntl.lockf(descriptor, fcntl.LOCK_EX)
print("holds", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path / "mw"


@pytest.fixture
def hub(where: Path) -> Iterator[LocalHub]:
    hub = LocalHub(f"local://{where}")
    yield hub
    hub.close()


def holder(path: Path) -> subprocess.Popen[bytes]:
    """A process that lives and holds its file."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"holds\n"
    return process


def test_the_record_of_a_process_that_ended_can_be_read_until_it_is_forgotten(where: Path, hub: LocalHub) -> None:
    path = write(where, data(running=[("view", "shop", AT, 0.0)]))
    left = hub.left(KEY)
    assert left is not None
    assert [job.name for job in checks.load_flight(left).running] == ["shop"]
    hub.forget("web1:4711:1.000:ffffffffffffffff")
    assert path.exists()
    hub.forget(KEY)
    assert not path.exists()
    assert hub.left(KEY) is None
    hub.forget(KEY)


def test_the_record_of_a_process_that_lives_is_left_alone_until_a_kill(where: Path, hub: LocalHub) -> None:
    path = write(where, data())
    owner = holder(path)
    assert hub.left(KEY) is None
    hub.forget(KEY)
    assert path.exists()
    owner.kill()
    owner.communicate()
    assert hub.left(KEY) is not None


@pytest.mark.parametrize("key", ["", "x", f"other:1:1.000:{NONCE}", "../../etc", "a:" * 200])
def test_a_key_of_no_record_here_finds_none(where: Path, hub: LocalHub, key: str) -> None:
    write(where, data())
    assert hub.left(key) is None


def test_what_is_no_record_is_none(where: Path, hub: LocalHub) -> None:
    path = write(where, b"torn")
    assert hub.left(KEY) is None
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert hub.left(KEY) is None
    path.unlink()
    os.mkfifo(path)
    assert hub.left(KEY) is None


def test_a_file_that_this_process_holds_is_never_opened_again(where: Path, hub: LocalHub) -> None:
    """Closing any descriptor would give its lock back."""
    path = write(where, data())
    opened = os.open(path.parent, os.O_RDONLY)
    descriptor = folder.take(opened, path.name)
    assert descriptor is not None
    assert folder.take(opened, path.name) is None
    assert hub.left(KEY) is None
    assert not _free(path)
    folder.give_back(path.name, descriptor)
    assert _free(path)
    os.close(opened)


def _free(path: Path) -> bool:
    """As another process sees it."""
    program = "import fcntl, os, sys; fcntl.lockf(os.open(sys.argv[1], 2), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    return subprocess.run([sys.executable, "-c", program, path], capture_output=True, check=False).returncode == 0


def test_names_sort_by_age(where: Path) -> None:
    for age in (30, 4, 200):
        write(where, b"", age=age, pid=age)
    (where / "flights" / "notes.txt").write_text("")
    opened = os.open(where / "flights", os.O_RDONLY)
    assert [folder.pid_in(name) for name in folder.names(opened)] == [4, 30, 200]
    os.close(opened)


def test_each_transport_has_a_folder_of_its_own_and_no_password_shows() -> None:
    one = folder.folder_of("redis://user:secret@host:6379/0?prefix=a").path
    assert one == folder.folder_of("redis://user:other@host:6379/0?prefix=a").path
    assert one.name.startswith(f"memwatch-{os.geteuid()}-")
    others = ("redis://host:6379/0?prefix=a", "redis://user:x@host:6379/1?prefix=a", "redis://user:x@host:6379/0")
    assert len({one, *(folder.folder_of(url).path for url in others)}) == 4
    assert folder.folder_of("local:///run/mw?group=0").path == Path("/run/mw")
