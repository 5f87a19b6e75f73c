"""Analyses of heap dumps that run on this machine, each a process with a temporary folder of its own.

A run outlives the process that started it: a worker or web server need not wait for it, and may end before it. Its
process holds the lock of the folder until it ends; then the folder has what was made, or the reason why not. A process
whose folder is removed ends at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

PREFIX = "memwatch-heap-"
LEFT_S = 600.0
"""A folder whose run has ended is swept after this time."""
CHILD = Path(__file__).with_name("analyse_heap.py")
POLL_S = 0.05
_started: list[subprocess.Popen[bytes]] = []
"""By this process; they are reaped when it looks at runs again."""


class Run:
    """One folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        """Of the folder: on this machine no other run has it."""
        return self.folder.name

    @property
    def outcome(self) -> Path:
        """What was made; it is there when it is whole."""
        return self.folder / "made"

    def is_running(self) -> bool:
        """Whether somebody holds the lock: the process, or who copies the dump for it."""
        with self._locked(fcntl.LOCK_SH) as ours:
            return not ours and self.folder.exists()

    def has_begun(self) -> bool:
        """Whether it ever had a process."""
        return (self.folder / "said").exists()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within this time."""
        until = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() >= until:
                return False
            time.sleep(POLL_S)
        return True

    def percent(self) -> int:
        """How far it is, about."""
        try:
            return min(99, max(0, int((self.folder / "percent").read_text(encoding="ascii"))))
        except (OSError, ValueError):
            return 0

    def seconds(self) -> float:
        """Since it began."""
        try:
            return max(0.0, time.time() - (self.folder / "lock").stat().st_ctime)
        except OSError:
            return 0.0

    def reason(self) -> str:
        """Why nothing was made."""
        try:
            said = (self.folder / "said").read_bytes()[-4096:].decode("utf-8", "backslashreplace").strip().splitlines()
        except OSError:
            said = []
        text = (said or ["its process was killed, for lack of memory perhaps"])[-1]
        return text.removeprefix("memwatch.heapdump.format.HeapDumpError: ")[:200]

    @contextlib.contextmanager
    def claimed(self) -> Iterator[bool]:
        """Whether this caller alone may take what was made; then the folder is removed at the end."""
        with self._locked() as ours:
            claimed = ours and self.folder.exists()
            try:
                yield claimed
            finally:
                if claimed:
                    self.remove()
                    reap()

    def remove(self) -> None:
        """Also ends its process."""
        with contextlib.suppress(OSError):
            (self.folder / "lock").unlink()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def _locked(self, how: int = fcntl.LOCK_EX) -> Iterator[bool]:
        try:
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            yield not self._is_new()
            return
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
            ours = True
        except OSError:
            ours = False
        try:
            yield ours
        finally:
            os.close(lock)

    def _is_new(self) -> bool:
        """Whether its lock is still to be made."""
        return self.idle_s() < 1.0

    def idle_s(self) -> float:
        """Since something came or went in the folder."""
        try:
            return time.time() - self.folder.stat().st_mtime
        except OSError:
            return LEFT_S


def new_name(wire_id: str, form: str) -> str:
    """For a folder that is to be made."""
    return f"{PREFIX}{wire_id}.{form}-{secrets.token_hex(6)}"


def start(dump: IO[Any], name: str, form: str, types: Sequence[str] = ()) -> Run:
    """Begin; ``types`` are those whose paths an analysis has.

    Raises ``OSError`` where there is no room for the dump in the temporary folder.
    """
    reap()
    run = Run(Path(tempfile.gettempdir(), name))
    run.folder.mkdir(mode=0o700)
    lock = os.open(run.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with (run.folder / "dump.heap").open("wb") as copy:
            shutil.copyfileobj(dump, copy)
        with (run.folder / "said").open("wb") as said:
            process = subprocess.Popen(  # noqa: S603 - our own script, under limits
                [sys.executable, "-I", str(CHILD), form, str(run.folder), *types],
                cwd=run.folder,
                env={"HOME": str(run.folder), "PATH": "", "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                pass_fds=(lock,),
                start_new_session=True,
            )
    except BaseException:
        run.remove()
        raise
    finally:
        os.close(lock)
    _started.append(process)
    return run


def of(wire_id: str, form: str) -> Run | None:
    """The one of this recording on this machine."""
    return next((run for run in runs() if run.name.startswith(f"{PREFIX}{wire_id}.{form}-")), None)


def runs() -> Iterator[Run]:
    """All on this machine that are this user's."""
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        try:
            found = folder.lstat()
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077:
            yield Run(folder)


def sweep() -> int:
    """Remove folders of runs that ended long ago; how many."""
    reap()
    swept = 0
    for run in runs():
        if run.idle_s() >= LEFT_S:
            with run.claimed() as ours:
                swept += ours
    return swept


def reap() -> int:
    """Forget the processes that have ended; how many that this one has started are left."""
    _started[:] = [process for process in _started if process.poll() is None]
    return len(_started)
