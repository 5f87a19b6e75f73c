"""What a job does before it ends, or instead of ending. Each first writes down which process does it."""

import contextlib
import ctypes
import json
import mmap
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["GUEST_FOLDER"])
DOING, FORKED, GO = FOLDER / "doing", FOLDER / "forked", FOLDER / "go"
KEPT: list[bytes] = []
STEP_S, STEPS = 0.1, 60
HOLD_S = 12.0


def _touched(mb: float) -> bytes:
    return b"\1" * int(mb * 2**20)


def _take(mb: float) -> None:
    """All at once."""
    taken = _touched(mb)
    time.sleep(HOLD_S)
    del taken


def _grow(mb: float) -> None:
    """Over six seconds, then it keeps it for a while."""
    taken = []
    for _ in range(STEPS):
        taken.append(_touched(mb / STEPS))
        time.sleep(STEP_S)
    time.sleep(HOLD_S)


def _lists(mb: float) -> None:
    """As small objects, over six seconds."""
    taken = []
    for _ in range(STEPS):
        taken.append([[number] for number in range(int(mb / STEPS * 2**20 / 100))])
        time.sleep(STEP_S)
    time.sleep(HOLD_S)


def _leak(mb: float) -> None:
    """It stays when the job has ended."""
    KEPT.append(_touched(mb))


def _spin(seconds: float) -> None:
    """A loop in Python."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def _blocked(seconds: float) -> None:
    """In C, with the lock of the interpreter held: neither a signal's handler nor another thread runs."""
    ctypes.PyDLL(None).usleep(ctypes.c_uint(int(seconds * 1e6)))


def _segv(_amount: float) -> None:
    ctypes.string_at(0)


def _bus(_amount: float) -> None:
    """A page beyond the end of its file."""
    with tempfile.TemporaryFile() as file:
        file.truncate(mmap.PAGESIZE)
        mapped = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        os.ftruncate(file.fileno(), 0)
        ctypes.string_at(ctypes.addressof(ctypes.c_char.from_buffer(mapped)), 1)


def _abort(_amount: float) -> None:
    os.abort()


def _divide(_amount: float) -> None:
    os.kill(os.getpid(), signal.SIGFPE)


def _exit(code: float) -> None:
    os._exit(int(code))


def _leave(code: float) -> None:
    sys.exit(int(code))


def _exit_in_a_thread(code: float) -> None:
    """While the job waits for something else."""
    threading.Timer(2.0, os._exit, (int(code),)).start()
    time.sleep(HOLD_S)


def _abort_in_c(_amount: float) -> None:
    """As a library does that finds its memory in disorder."""
    ctypes.CDLL(None).abort()


def _sleep_through(seconds: float) -> None:
    """Whatever is raised in between."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        with contextlib.suppress(Exception):
            time.sleep(left)


def _fail(_amount: float) -> None:
    raise RuntimeError("the benchmark wants it so")


def _recursion(_amount: float) -> None:
    """Past the end of the stack, in C: a signal."""
    sys.setrecursionlimit(10**9)
    nested: list[Any] = []
    for _ in range(10**6):
        nested = [nested]
    repr(nested)


def _fork(seconds: float) -> None:
    """A copy of the process that works on for a while, and a parent that waits for it."""
    child = os.fork()
    if not child:
        time.sleep(seconds)
        os._exit(0)
    with FORKED.open("a") as file:
        file.write(f"{child}\n")
    os.waitpid(child, 0)


def _fork_and_fail(code: float) -> None:
    """A copy that works for some seconds and says with its exit code that it failed; the parent expects that."""
    child = os.fork()
    if not child:
        time.sleep(6)
        os._exit(int(code))
    with FORKED.open("a") as file:
        file.write(f"{child}\n")
    os.waitpid(child, 0)


DEEDS: Mapping[str, Callable[[float], None]] = {
    "sleep": time.sleep, "spin": _spin, "blocked": _blocked, "take": _take, "grow": _grow, "lists": _lists,
    "leak": _leak, "segv": _segv, "bus": _bus, "abort": _abort, "divide": _divide, "exit": _exit, "leave": _leave,
    "exit in a thread": _exit_in_a_thread, "abort in C": _abort_in_c, "sleep through": _sleep_through, "fail": _fail,
    "recursion": _recursion, "fork": _fork, "fork and fail": _fork_and_fail,
}  # fmt: skip


def do(name: str, deed: str, amount: float) -> None:
    """Write it down, and do it."""
    with DOING.open("a") as file:
        file.write(f"{os.getpid()} {name}\n")
    DEEDS[deed](amount)


def wanted(query: Mapping[str, str]) -> tuple[str, float]:
    """From a request."""
    return query["deed"], float(query["amount"])


def wait_and_do(name: str) -> None:
    """Once the file is there."""
    while not GO.exists():
        time.sleep(0.1)
    do(name, *json.loads(GO.read_text()))
