"""The transport without a server: the folder, the spool, the sockets."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from memwatch.transport import TransportUnavailable, open_hub, open_uplink
from memwatch.transport.command_client import sweep_dead_sockets
from memwatch.transport.local import LocalHub, LocalUplink
from memwatch.transport.private_folder import LocalAddress
from memwatch.transport.protocols import address
from memwatch.transport.wire import MAX_COMMAND_BYTES, MAX_REPORT_BYTES
from tests.transport.agents import answering

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as another user")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mw"


@pytest.fixture
def uplink(folder: Path) -> Iterator[LocalUplink]:
    uplink = LocalUplink(f"local://{folder}", "key")
    yield uplink
    uplink.close()


@pytest.fixture
def hub(folder: Path) -> Iterator[LocalHub]:
    hub = LocalHub(f"local://{folder}")
    yield hub
    hub.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def connect(folder: Path, key: str = "key") -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    opened = os.open(folder / "sockets", os.O_PATH)
    try:
        connection.connect(f"/proc/self/fd/{opened}/{address(key)}.sock")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(opened)
    return connection


def test_only_the_user_can_look_in(uplink: LocalUplink, folder: Path) -> None:
    before = os.umask(0)
    try:
        uplink.send(b"x")
        uplink.receive(0)
    finally:
        os.umask(before)
    assert {mode(folder), mode(folder / "spool"), mode(folder / "sockets")} == {0o700}
    assert {mode(path) for path in [*(folder / "spool").iterdir(), *(folder / "sockets").iterdir()]} == {0o600}


def test_a_group_shares_the_folder(folder: Path) -> None:
    url = f"local://{folder}?group={os.getegid()}"
    hub = open_hub(url)
    with answering(url, "key"):
        assert hub.request({"key": b"1"}, timeout_s=5) == {"key": b"answer to 1"}
        assert mode(folder / "sockets" / f"{address('key')}.sock") == 0o660
    assert {mode(folder), mode(folder / "spool"), mode(folder / "sockets")} == {0o2770}
    assert {mode(path) for path in (folder / "spool").iterdir()} == {0o660}
    assert len(hub.read(limit=9)) == 1
    hub.close()


def _as_another_user(work: Callable[[], str], *, group: int = 65534) -> str:
    """What the work returns, done by user 65534 in a child of this process."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(group)
            os.setuid(65534)
            os.write(write_end, work().encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return text


def _let_in(path: Path) -> None:
    """Others may pass through pytest's folders."""
    for parent in [path, *path.parents]:
        parent.chmod(parent.stat().st_mode | 0o011)
        if parent.name.startswith("pytest-of-"):
            return


@as_root
def test_members_of_the_group_report_and_others_are_told_why_not(tmp_path: Path) -> None:
    _let_in(tmp_path)
    url = f"local://{tmp_path}/mw?group=12345"
    hub = open_hub(url)
    assert hub.read(limit=9) == []

    def report() -> str:
        uplink = open_uplink(url, "other")
        try:
            uplink.send(b"from another user")
            uplink.receive(0)
        except TransportUnavailable as error:
            return str(error)
        uplink.close()
        return "sent"

    assert _as_another_user(report, group=12345) == "sent"
    assert [delivery.payload for delivery in hub.read(limit=9)] == [b"from another user"]
    assert "Permission denied: make it writable for user nobody" in _as_another_user(report)
    hub.close()


@as_root
def test_a_folder_of_another_user_is_refused(uplink: LocalUplink, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(TransportUnavailable, match=r"belongs to user nobody, this process runs as root: .*group="):
        uplink.send(b"x")


def test_a_folder_that_others_can_write_is_refused_and_not_changed(uplink: LocalUplink, folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o1777)
    with pytest.raises(TransportUnavailable, match="chmod 700"):
        uplink.send(b"x")
    with pytest.raises(TransportUnavailable, match="chmod 700"):
        uplink.receive(0)
    assert mode(folder) == 0o1777
    assert list(folder.iterdir()) == []


def test_a_group_that_does_not_own_the_folder_is_told_so(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    uplink = open_uplink(f"local://{folder}?group={os.getegid()}", "key")
    with pytest.raises(TransportUnavailable, match=r"chgrp .* && chmod 2770"):
        uplink.send(b"x")
    uplink.close()


@pytest.mark.parametrize("link", ["mw", "mw/spool"])
def test_symbolic_links_are_refused(uplink: LocalUplink, tmp_path: Path, link: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (tmp_path / link).parent.mkdir(mode=0o700, exist_ok=True)
    (tmp_path / link).symlink_to(elsewhere)
    with pytest.raises(TransportUnavailable, match="symbolic link"):
        uplink.send(b"x")
    assert list(elsewhere.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    uplink = open_uplink(f"local://{tmp_path}/file/mw", "key")
    with pytest.raises(TransportUnavailable, match=str(tmp_path)):
        uplink.send(b"x")
    uplink.close()


def test_a_removed_folder_is_made_again(uplink: LocalUplink, hub: LocalHub, folder: Path) -> None:
    uplink.send(b"1")
    uplink.receive(0)
    folder.rename(folder.with_name("gone"))
    uplink.send(b"2")
    uplink.receive(0)
    assert [delivery.payload for delivery in hub.read(limit=9)] == [b"2"]
    hub.notify({"key": b"hello"})
    incoming = uplink.receive(5)
    assert incoming is not None
    assert incoming.payload == b"hello"


def test_long_paths_work(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120) / ("y" * 120)
    with answering(f"local://{deep}", "key"):
        assert open_hub(f"local://{deep}").request({"key": b"1"}, timeout_s=5)


def test_a_full_spool_refuses_new_reports_and_keeps_the_old(folder: Path) -> None:
    for url, sent in ((f"local://{folder}?max_files=3", b"x"), (f"local://{folder}?max_mb=1", b"x" * 300_000)):
        uplink, hub = open_uplink(url, "key"), open_hub(url)
        for _ in range(3):
            uplink.send(sent)
        with pytest.raises(TransportUnavailable, match="full"):
            uplink.send(sent)
        deliveries = hub.read(limit=10)
        assert [delivery.payload for delivery in deliveries] == [sent] * 3
        hub.acknowledge(deliveries)
        uplink.send(sent)  # room again, at once
        hub.acknowledge(hub.read(limit=10))


def test_a_full_disk_is_unavailable_and_leaves_no_litter(uplink: LocalUplink, folder: Path) -> None:
    code = (
        "import resource, signal, sys\n"
        "from memwatch.transport import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "uplink = open_uplink(sys.argv[1], 'k')\n"
        "try:\n    uplink.send(b'x' * 5000)\nexcept TransportUnavailable as error:\n    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, f"local://{folder}"], capture_output=True, text=True, timeout=30, check=True
    )
    assert "File too large" in run.stdout
    assert list((folder / "spool").iterdir()) == []


def test_odd_files_do_no_harm(uplink: LocalUplink, hub: LocalHub, folder: Path, tmp_path: Path) -> None:
    uplink.send(b"good")
    spool = folder / "spool"
    (tmp_path / "secret").write_bytes(b"secret")
    (spool / f"{1:020d}-{'0' * 16}.report").symlink_to(tmp_path / "secret")
    os.mkfifo(spool / f"{2:020d}-{'0' * 16}.report")
    (spool / f"{3:020d}-{'0' * 16}.report").mkdir()
    (spool / f"{4:020d}-{'0' * 16}.report").write_bytes(b"x" * (MAX_REPORT_BYTES * 3))
    (spool / f"{5:020d}-{'0' * 16}.report").touch()
    (spool / "notes.txt").touch()
    deliveries = hub.read(limit=10)
    assert [len(delivery.payload) for delivery in deliveries] == [0, 0, 0, MAX_REPORT_BYTES + 1, 0, 4]
    hub.acknowledge(deliveries)
    assert [path.name for path in spool.iterdir()] == ["notes.txt"]
    assert list((folder / "claimed").iterdir()) == []
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_a_report_is_not_given_up_when_no_file_number_is_left(
    uplink: LocalUplink, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    uplink.send(b"good")

    really = os.open

    def none_left(path: Any, *args: Any, **options: Any) -> int:
        if str(path).endswith(".report"):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return really(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", none_left)
        with pytest.raises(TransportUnavailable, match="Too many open files"):
            hub.read(limit=10)
    hub.close()
    (delivery,) = hub.read(limit=10)
    assert delivery.payload == b"good"


def test_a_report_that_the_disk_does_not_give_stops_no_other(
    uplink: LocalUplink, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for payload in (b"bad sector", b"good"):
        uplink.send(payload)
    really, failed = os.open, []

    def failing(path: Any, *args: Any, **options: Any) -> int:
        if str(path).endswith(".report") and not failed and not args[0] & os.O_CREAT:
            failed.append(path)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return really(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing)
        assert [delivery.payload for delivery in hub.read(limit=10)] == [b"good"]
    assert len(failed) == 1
    hub.close()
    assert hub.state().backlog == 2, "kept for another try"


def test_acknowledging_reaches_nothing_but_claims(hub: LocalHub, folder: Path) -> None:
    from memwatch.transport import Delivery

    hub.read(limit=1)
    (folder / "precious").touch()
    hub.acknowledge([Delivery("../precious", b""), Delivery("", b"")])
    assert (folder / "precious").exists()


def test_what_a_killed_writer_left_half_done_is_removed_after_a_while(hub: LocalHub, folder: Path) -> None:
    hub.read(limit=1)
    young, old = folder / "spool" / ".young.tmp", folder / "spool" / ".old.tmp"
    young.touch()
    old.touch()
    os.utime(old, (time.time() - 3600,) * 2)
    assert LocalHub(f"local://{folder}").read(limit=1) == []
    assert young.exists()
    assert not old.exists()


def test_a_claim_from_the_future_is_taken_over(hub: LocalHub, folder: Path) -> None:
    hub.read(limit=1)
    ahead = time.time_ns() + 3600 * 10**9
    (folder / "claimed" / f"{ahead:020d}.00000000.{1:020d}-{'0' * 16}.report").write_bytes(b"x")
    assert [delivery.payload for delivery in hub.read(limit=1)] == [b"x"]


def test_many_writers_and_readers_lose_and_double_nothing(folder: Path) -> None:
    url = f"local://{folder}"
    got: list[bytes] = []
    done = threading.Event()

    def write(name: int) -> None:
        uplink = open_uplink(url, str(name))
        for number in range(100):
            uplink.send(f"{name}.{number}".encode())
        uplink.close()

    def read() -> None:
        hub = open_hub(url)
        while True:
            ending = done.is_set()
            deliveries = hub.read(limit=20)
            got.extend(delivery.payload for delivery in deliveries)
            hub.acknowledge(deliveries)
            if ending and not deliveries:
                return

    writers = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in writers + readers:
        thread.start()
    for thread in writers:
        thread.join(30)
    done.set()
    for thread in readers:
        thread.join(30)
    assert sorted(got) == sorted(f"{name}.{number}".encode() for name in range(4) for number in range(100))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x00\x00",
        struct.pack(">I", 10) + b"half",
        struct.pack(">I", MAX_COMMAND_BYTES + 1) + b"x",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\xff" * 200_000,
    ],
)
def test_nonsense_on_the_socket_holds_up_nobody(folder: Path, hub: LocalHub, said: bytes) -> None:
    with answering(f"local://{folder}", "key"), contextlib.ExitStack() as stack:
        for _ in range(10):
            rude = stack.enter_context(connect(folder))
            rude.setblocking(False)
            with contextlib.suppress(OSError):
                rude.send(said)
        began = time.monotonic()
        assert hub.request({"key": b"1"}, timeout_s=5) == {"key": b"answer to 1"}
        assert time.monotonic() - began < 0.4


def test_ten_megabytes_on_the_socket_are_not_read(uplink: LocalUplink, folder: Path) -> None:
    uplink.receive(0)
    with connect(folder) as rude:
        rude.settimeout(5)
        failed: list[OSError] = []

        def push() -> None:
            try:
                rude.sendall(b"\xff" * 10_000_000)
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=push)
        thread.start()
        assert uplink.receive(0.3) is None
        thread.join(5)
    assert isinstance(failed[0], BrokenPipeError | ConnectionResetError)


def test_silent_connections_are_closed_and_leave_room(folder: Path, hub: LocalHub) -> None:
    with answering(f"local://{folder}", "key"), contextlib.ExitStack() as stack:
        silent = []
        for _ in range(70):  # more than are held at once
            connection = stack.enter_context(connect(folder))
            connection.settimeout(5)
            silent.append(connection)
            time.sleep(0.001)
        assert [connection.recv(1) for connection in silent] == [b""] * 70
        assert hub.request({"key": b"1"}, timeout_s=5)


def test_a_command_in_pieces_is_understood(uplink: LocalUplink, folder: Path) -> None:
    uplink.receive(0)
    with connect(folder) as slow:
        for piece in (b"\x00\x00", b"\x00\x05", b"he", b"llo"):
            slow.sendall(piece)
            incoming = uplink.receive(0.05)
    assert incoming is not None
    assert incoming.payload == b"hello"


def test_commands_that_came_while_the_agent_was_busy_are_all_taken(uplink: LocalUplink, folder: Path) -> None:
    uplink.receive(0)
    with contextlib.ExitStack() as stack:
        askers = [stack.enter_context(connect(folder)) for _ in range(5)]
        assert uplink.receive(0.05) is None  # they are connected, and have said nothing yet
        for asker in askers:
            asker.sendall(struct.pack(">I", 1) + b"c")
        time.sleep(0.6)
        assert [uplink.receive(0.05) is not None for _ in askers] == [True] * 5


def test_an_asker_that_hangs_up_or_does_not_read_still_gets_its_report_stored(
    uplink: LocalUplink, hub: LocalHub, folder: Path
) -> None:
    uplink.receive(0)
    for hangs_up in (True, False):
        with connect(folder) as asker:
            asker.sendall(struct.pack(">I", 1) + b"c")
            incoming = uplink.receive(5)
            assert incoming is not None
            if hangs_up:
                asker.close()
            began = time.monotonic()
            uplink.answer(incoming, b"x" * MAX_REPORT_BYTES)
            assert time.monotonic() - began < 1
    assert len(hub.read(limit=9)) == 2


def test_a_command_that_is_dropped_unanswered_tells_the_asker_at_once(folder: Path, hub: LocalHub) -> None:
    uplink = open_uplink(f"local://{folder}", "key")
    uplink.receive(0)
    thread = threading.Thread(target=lambda: uplink.receive(5))
    thread.start()
    began = time.monotonic()
    assert hub.request({"key": b"forged"}, timeout_s=5) == {}
    assert time.monotonic() - began < 1
    thread.join()
    uplink.close()


def test_an_answer_of_another_process_is_not_taken(folder: Path, hub: LocalHub) -> None:
    with answering(f"local://{folder}", "a"):
        sockets = folder / "sockets"
        (sockets / f"{address('b')}.sock").symlink_to(sockets / f"{address('a')}.sock")
        assert hub.request({"b": b"1"}, timeout_s=0.5) == {}


@as_root
def test_a_process_of_another_user_is_not_listened_to(folder: Path, tmp_path: Path) -> None:
    with answering(f"local://{folder}", "key"):
        _let_in(tmp_path)
        for path in (folder, folder / "sockets"):
            path.chmod(0o711)
        (folder / "sockets" / f"{address('key')}.sock").chmod(0o666)

        def intrude() -> str:
            with connect(folder) as connection:
                connection.settimeout(5)
                try:
                    connection.sendall(b"\0\0\0\1c")
                    return repr(connection.recv(100))
                except ConnectionError:
                    return "refused"

        assert _as_another_user(intrude) in ("refused", "b''")


def test_the_socket_of_a_killed_process_is_removed_when_it_is_asked(
    uplink: LocalUplink, hub: LocalHub, folder: Path
) -> None:
    _leave_dead_socket(folder, "dead")
    path = folder / "sockets" / f"{address('dead')}.sock"
    assert path.exists()
    assert hub.request({"dead": b"1"}, timeout_s=5) == {}
    assert not path.exists()


def test_dead_sockets_are_swept_and_living_ones_stay(uplink: LocalUplink, hub: LocalHub, folder: Path) -> None:
    uplink.receive(0)
    _leave_dead_socket(folder, "dead")
    where = LocalAddress.parse(f"local://{folder}").folder
    assert sweep_dead_sockets(where) == 0  # young ones may be about to listen
    for path in (folder / "sockets").iterdir():
        os.utime(path, (time.time() - 3600,) * 2)
    assert sweep_dead_sockets(where) == 1
    assert uplink.receive(0.05) is None
    hub.notify({"key": b"1"})
    assert uplink.receive(5) is not None


def _leave_dead_socket(folder: Path, key: str) -> None:
    pid = os.fork()
    if pid == 0:
        uplink = open_uplink(f"local://{folder}", key)
        uplink.receive(0)
        os._exit(0)
    os.waitpid(pid, 0)


def test_closing_removes_the_socket_and_repeating_that_is_harmless(folder: Path) -> None:
    uplink = open_uplink(f"local://{folder}", "key")
    uplink.receive(0)
    assert len(list((folder / "sockets").iterdir())) == 1
    uplink.close()
    uplink.close()
    assert list((folder / "sockets").iterdir()) == []


def test_an_uplink_leaves_no_descriptor_open(folder: Path) -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    hub = open_hub(f"local://{folder}")
    before = opened()
    for number in range(20):
        with answering(f"local://{folder}", f"key{number}"):
            assert hub.request({f"key{number}": b"1"}, timeout_s=5)
    hub.acknowledge(hub.read(limit=100))
    assert opened() == before


def test_no_file_number_left_is_unavailable_and_passes(folder: Path) -> None:
    code = (
        "import os, resource, sys\n"
        "from memwatch.transport import *\n"
        "uplink = open_uplink(sys.argv[1], 'k')\nuplink.receive(0)\n"
        "taken = []\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "try:\n    while True:\n        taken.append(os.open('/dev/null', os.O_RDONLY))\nexcept OSError:\n    pass\n"
        "for work in (lambda: uplink.send(b'x'), lambda: open_hub(sys.argv[1]).read(limit=1)):\n"
        "    try:\n        work()\n    except TransportUnavailable as error:\n        print(error)\n"
        "for number in taken:\n    os.close(number)\n"
        "uplink.send(b'x')\nuplink.close()\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, f"local://{folder}"], capture_output=True, text=True, timeout=30, check=True
    )
    assert run.stdout.count("Too many open files") == 2


def test_no_django_celery_or_redis_is_imported(folder: Path) -> None:
    code = (
        "import sys\nfrom memwatch.transport import *\n"
        "uplink = open_uplink(sys.argv[1], 'k')\nuplink.send(b'x')\nuplink.receive(0)\nuplink.close()\n"
        "print(sorted({'django', 'celery', 'redis', 'ssl', 'asyncio'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, f"local://{folder}"], capture_output=True, text=True, timeout=30, check=True
    )
    assert run.stdout.strip() == "[]"


def test_a_backlog_of_large_reports_is_read_and_taken_over_a_few_megabytes_at_a_time(folder: Path) -> None:
    sender = LocalUplink(f"local://{folder}", "key")
    for _ in range(20):
        sender.send(bytes(MAX_REPORT_BYTES))
    sender.close()
    first, second = LocalHub(f"local://{folder}"), LocalHub(f"local://{folder}", lease_s=0.0)
    assert len(first.read(limit=200)) == 8
    assert len(second.read(limit=200)) == 8
    assert len(second.read(limit=200)) == 8
    second.close()
