"""Flight records are in memory where that can be, and nobody else can read or take them there."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from memwatch.transport import TransportUnavailable
from memwatch.transport.erasing import erase, traces
from memwatch.transport.flights import folder, memory
from memwatch.transport.local import LocalHub
from tests.transport.flights.files import KEY, data, write


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of ``/dev/shm``."""
    shared = tmp_path / "shm"
    shared.mkdir()
    mounts = tmp_path / "mounts"
    mounts.write_text(f"none / ext4 rw 0 0\ntmpfs {shared} tmpfs rw 0 0\n")
    monkeypatch.setattr(memory, "SHARED", shared)
    monkeypatch.setattr(memory, "_MOUNTS", str(mounts))
    return shared


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"local://{tmp_path}/mw?flights=memory"


def test_it_is_a_folder_of_the_user_alone_and_the_same_for_all(shared: Path, url: str, tmp_path: Path) -> None:
    first, last = folder.folders_of(url)
    assert (first.path.parent, last.path) == (shared, tmp_path / "mw")
    assert folder.folder_of(url) == first == folder.folders_of(url)[0]
    with first.opened(folder.FLIGHTS):
        assert stat.S_IMODE(first.path.stat().st_mode) == 0o700
    assert folder.folder_of(url) == first
    other = folder.folder_of(f"local://{tmp_path}/other?flights=memory")
    assert other.path.parent == shared
    assert other != first
    assert folder.folder_of(f"local://{tmp_path}/mw").path == tmp_path / "mw", "only where the URL says so"


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(ValueError, match="give memory"):
        folder.folders_of("local:///x?flights=disk")


@pytest.mark.parametrize("trouble", ["no mount", "a disk", "others may write", "a link", "a file"])
def test_else_it_is_the_transports_own_folder(shared: Path, url: str, tmp_path: Path, trouble: str) -> None:
    first = folder.folder_of(url).path
    mounts = tmp_path / "mounts"
    if trouble == "no mount":
        mounts.write_text("")
    elif trouble == "a disk":
        mounts.write_text(mounts.read_text() + f"/dev/sda {shared} ext4 rw 0 0\n")
    elif trouble == "others may write":
        first.mkdir()
        first.chmod(0o777)
    elif trouble == "a link":
        first.symlink_to(tmp_path)
    else:
        first.write_text("")
    assert [each.path for each in folder.folders_of(url)] == [tmp_path / "mw"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_a_name_that_somebody_else_has_taken_is_left_to_him(shared: Path, url: str, tmp_path: Path) -> None:
    first = folder.folder_of(url).path
    first.mkdir()
    os.chown(first, 12345, 12345)
    assert folder.folder_of(url).path == tmp_path / "mw"


def test_the_last_room_in_memory_is_left_to_the_host(
    shared: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_bavail=1023, f_frsize=4096))
    assert folder.folder_of(url).path == tmp_path / "mw"
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_bavail=1024, f_frsize=4096))
    assert folder.folder_of(url).path.parent == shared


def test_the_server_finds_a_record_in_either_place(shared: Path, url: str, tmp_path: Path) -> None:
    hub = LocalHub(url)
    assert hub.left(KEY) is None
    assert list(shared.iterdir()) == [], "it makes no folder"
    for where in folder.folders_of(url):
        write(where.path, data())
        assert hub.left(KEY) is not None
        hub.forget(KEY)
        assert hub.left(KEY) is None
    assert list(shared.iterdir()) == [], "an empty folder goes"
    hub.close()


def test_empty_folders_of_the_user_go_and_no_others(shared: Path, url: str) -> None:
    where = folder.folder_of(url)
    used, empty, foreign = (shared / f"memwatch-{name}" for name in (f"{os.geteuid()}-a", f"{os.geteuid()}-b", "x-c"))
    for path in (where.path, used, empty, foreign):
        (path / folder.FLIGHTS).mkdir(parents=True)
    (used / folder.FLIGHTS / "record").write_text("")
    memory.remove_empty(where.path, folder.FLIGHTS)
    assert sorted(shared.iterdir()) == sorted((used, foreign))


def test_taking_the_transport_away_takes_them_too(shared: Path, url: str) -> None:
    for where in folder.folders_of(url):
        write(where.path, data())
    assert len(traces(url)) == 2
    erase(url)
    assert traces(url) == []
    assert list(shared.iterdir()) == []


def test_redis_has_one_for_each_transport(shared: Path) -> None:
    one, other = (folder.folder_of(f"redis://h:1/0?prefix={name}") for name in ("a", "b"))
    assert one.path.parent == other.path.parent == shared
    assert one != other
    (one.path).write_text("")
    with pytest.raises(TransportUnavailable), one.opened(folder.FLIGHTS):
        pass
    assert folder.folder_of("redis://h:1/0?prefix=a").path.parent != shared
