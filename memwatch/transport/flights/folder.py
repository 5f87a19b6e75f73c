"""Where the files of flight records are, and whose process has ended.

Each process holds a lock of its file. The kernel gives it back when the process ends, whatever killed it, and no child
inherits it: who can take the lock knows that the owner is gone. Closing *any* descriptor of a file gives the lock back
as well, so a process never opens a file that it holds.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from memwatch.transport.digests import sha256_hex
from memwatch.transport.flights import checks, layout, memory
from memwatch.transport.private_folder import Folder, LocalAddress
from memwatch.transport.protocols import redacted
from memwatch.transport.schema import WireError

FLIGHTS = "flights"
_NAME = re.compile(r"\d{20}-(\d{1,10})-([0-9a-f]{16})\.flight")
_SOCKET = re.compile(r"\d{20}-\d{1,10}-[0-9a-f]{16}\.socket")

Identity = tuple[int, int]
"""Device and number of a file."""

held: set[str] = set()
"""Names of files that this process has locked: its own, and those of the dead that it collects."""
os.register_at_fork(after_in_child=held.clear)


def folders_of(url: str) -> tuple[Folder, ...]:
    """Where the records of a transport's processes may be, the best place first.

    That is in memory, for each transport a folder of its own, or else on a disk: the folder of a ``local:`` transport,
    or one in the temporary folder. A ``local:`` transport is in memory where its URL says ``flights=memory``.
    """
    if url.startswith("local:"):
        address = LocalAddress.parse(url)
        on_disk = address.folder
        in_memory = _in_memory(str(on_disk.path), on_disk.group) if address.flights_in_memory else None
    else:
        import tempfile  # noqa: PLC0415 - it loads a dozen modules; the transport over Redis has them

        prefix = parse_qs(urlsplit(url).query).get("prefix", [""])[0]
        which = f"{redacted(url)} {prefix}"
        on_disk = Folder(Path(tempfile.gettempdir()) / f"memwatch-{os.geteuid()}-{_short(which)}")
        in_memory = _in_memory(which)
    return (on_disk,) if in_memory is None else (in_memory, on_disk)


def folder_of(url: str) -> Folder:
    """Where a process makes its record now: in memory only as long as there is room."""
    return next((each for each in folders_of(url)[:-1] if memory.has_room(each.path)), folders_of(url)[-1])


def _in_memory(which: str, group: int | None = None) -> Folder | None:
    return memory.folder(_short(which), group)


def _short(text: str) -> str:
    return sha256_hex(text.encode("utf-8", "surrogatepass"))[:12]


def file_name(started_ns: int, pid: int, nonce: str) -> str:
    """Names sort by the age of the processes."""
    return f"{started_ns:020d}-{pid}-{nonce}.flight"


def pid_in(name: str) -> int:
    """The pid in the name of a file."""
    return int(name.split("-")[1])


def names(opened: int) -> list[str]:
    """The files of the open folder, the eldest process first."""
    return sorted([name for name in os.listdir(opened) if _NAME.fullmatch(name)])


def socket_name(name: str) -> str:
    """Where the process listens whose record has that name."""
    return f"{name.removesuffix('.flight')}.socket"


def sockets(opened: int) -> list[str]:
    """Of the open folder, the eldest process first."""
    return sorted([name for name in os.listdir(opened) if _SOCKET.fullmatch(name)])


def sockets_without_record(found: Iterable[str]) -> list[str]:
    """Sockets among the names of a folder whose owner's record is gone."""
    found = set(found)
    return [name for name in found if _SOCKET.fullmatch(name) and f"{name.removesuffix('.socket')}.flight" not in found]


def remove(opened: int, name: str) -> None:
    """The record of a process that has ended, and its socket."""
    for each in (name, socket_name(name)):
        with contextlib.suppress(OSError):
            os.unlink(each, dir_fd=opened)


def take(opened: int, name: str) -> int | None:
    """A descriptor of a file whose lock was free, and is ours now; ``None`` where its owner lives or it is held here.

    Raises :class:`OSError` where it is no file, or there are no locks.
    """
    if name in held:
        return None
    descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=opened)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a file")
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return None
        raise
    held.add(name)
    return descriptor


def give_back(name: str, descriptor: int, identity: Identity | None = None) -> None:
    """Close what :func:`take` has opened; ``identity``: that of what was opened, where it was kept for a while."""
    held.discard(name)
    if identity is None or is_still(descriptor, identity):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def identity_of(descriptor: int) -> Identity:
    """Which file a descriptor leads to."""
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino


def is_still(descriptor: int, identity: Identity) -> bool:
    """Whether it leads there: a host may close all descriptors that it does not know, and open others."""
    try:
        return identity_of(descriptor) == identity
    except OSError:
        return False


def content(descriptor: int) -> bytes:
    """At most one byte more than a record has."""
    return os.pread(descriptor, layout.SIZE_WITH_SPANS + 1, 0)


@contextlib.contextmanager
def _taken(folder: Folder, process_key: str) -> Iterator[tuple[int, str, int] | None]:
    """The open folder, name and descriptor of the record of a process that has ended."""
    nonce = process_key.rpartition(":")[2]
    if not (folder.path / FLIGHTS).exists():  # no process has made it
        yield None
        return
    with folder.opened(FLIGHTS) as opened:
        name = next((name for name in names(opened) if _NAME.fullmatch(name)[2] == nonce), None)  # type: ignore[index]
        descriptor = None
        with contextlib.suppress(OSError):
            descriptor = None if name is None else take(opened, name)
        if name is None or descriptor is None:
            yield None
            return
        try:
            yield opened, name, descriptor
        finally:
            give_back(name, descriptor)


def left(folder: Folder, process_key: str) -> bytes | None:
    """The last record, as JSON, of a process that has ended; ``None`` where it lives, or there is none to be read."""
    with _taken(folder, process_key) as found:
        if found is None:
            return None
        try:
            record = layout.read(content(found[2])).flight
        except WireError:
            return None
        return checks.flight_bytes(record) if record.key == process_key else None


def forget(folder: Folder, process_key: str) -> None:
    """Remove the record of a process that has ended."""
    with _taken(folder, process_key) as found:
        if found is not None:
            remove(found[0], found[1])
    memory.remove_empty(folder.path, FLIGHTS)
