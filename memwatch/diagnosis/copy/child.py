"""The child's side of a forked look: what it does first, and how it says what it found.

Nothing here lets go of the interpreter: to take it again could mean to wait for a thread that does not exist. So the
system is called through :class:`ctypes.PyDLL`, and nothing of Python's that waits, opens or imports.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import resource
import signal
import struct
from collections.abc import Callable, Generator
from typing import Any

from memwatch.diagnosis.context import Refused
from memwatch.diagnosis.copy import tracing
from memwatch.sampling.atomic import be_alone

HEAD, OWNED = struct.Struct("<cQ"), struct.Struct("<d")
"""A message has its kind and its length; an answer has the MB that only the child owned."""
ALIVE, PART, DONE, REFUSED, FAILED = b"!", b"#", b"+", b"r", b"-"
MOST_FILES = 65_536
"""Looked for where the kernel cannot close all at once."""
NICENESS = 10
"""Added to a copy's niceness: its work waits for the program, not the program for it."""
_CLOSE_RANGE = 436
_PR_SET_PDEATHSIG = 1

Work = Callable[[], bytes]
Send = Callable[[bytes], None]
"""Sends a part of an answer that is too large to be kept."""
Streaming = Callable[[Send], bytes]


class System:
    """Calls of the system that do not let go of the interpreter."""

    def __init__(self) -> None:
        library = ctypes.PyDLL(None, use_errno=True)
        for name, arguments in (
            ("syscall", [ctypes.c_long] * 6),
            ("write", [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t]),
            ("read", [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t]),
            ("open", [ctypes.c_char_p, ctypes.c_int]),
            ("prctl", [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]),
            ("nice", [ctypes.c_int]),
            ("close", [ctypes.c_int]),
            ("getppid", []),
            ("_exit", [ctypes.c_int]),
        ):
            function = getattr(library, name)
            function.argtypes = arguments
            function.restype = ctypes.c_ssize_t if name in ("read", "write", "syscall") else ctypes.c_int
            setattr(self, name.lstrip("_"), function)

    syscall: Any
    write: Any
    read: Any
    open: Any
    prctl: Any
    nice: Any
    close: Any
    getppid: Any
    exit: Any


class Still:
    """A meter for what runs in the copy, where no pause is needed."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0

    def pausing(self) -> Still:
        """Nothing to measure."""
        return self

    def paused(self, milliseconds: float) -> None:
        """Nothing to note."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_error: object) -> None: ...


def to_the_end(work: Generator[float, None, Any]) -> Any:
    """What it returns; the copy never waits."""
    try:
        while True:
            next(work)
    except StopIteration as end:
        return end.value


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """Of the processor, for a copy."""

    cpu_s: float
    """Seconds that it may take."""
    niceness: int = NICENESS


def live(work: Streaming, pipe: int, parent: int, system: System, share: Share) -> None:
    """All that the child does. Nothing here lets go of the interpreter, and it never returns."""
    try:
        tracing.stop()
        _settle(pipe, parent, system, share)
        _send(system, pipe, ALIVE, b"")
        content = work(lambda part: _send(system, pipe, PART, part))
        _send(system, pipe, DONE, OWNED.pack(private_mb(_read(system, b"/proc/self/smaps_rollup"))) + content)
    except Refused as refused:
        _send(system, pipe, REFUSED, str(refused).encode("utf-8", "backslashreplace"))
    except BaseException as error:  # noqa: BLE001 - said by the parent
        _send(system, pipe, FAILED, f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace")[:1000])
    finally:
        system.exit(0)


def _settle(pipe: int, parent: int, system: System, share: Share) -> None:
    """Die with the host and before it, own nothing of it, take less than it."""
    be_alone()
    system.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if system.getppid() != parent:
        system.exit(0)
    for name, value in ((b"coredump_filter", b"0"), (b"oom_score_adj", b"1000")):
        file = system.open(b"/proc/self/" + name, os.O_WRONLY)
        if file >= 0:
            system.write(file, value, len(value))
    if system.syscall(_CLOSE_RANGE, pipe + 1, 2**32 - 1, 0, 0, 0):  # before Linux 5.9
        for descriptor in range(pipe + 1, min(MOST_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[0])):
            system.close(descriptor)
    for descriptor in range(pipe):
        system.close(descriptor)
    system.nice(share.niceness)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # does not hold where the kernel pipes it to a program
    cpu_s = int(share.cpu_s) + 5
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))


def _send(system: System, pipe: int, kind: bytes, content: bytes) -> None:
    rest = HEAD.pack(kind, len(content)) + content
    while rest:
        written = system.write(pipe, rest, len(rest))
        if written <= 0:
            system.exit(1)
        rest = rest[written:]


def _read(system: System, file: bytes) -> bytes:
    """The first bytes of a file, without letting go of the interpreter."""
    descriptor = system.open(file, os.O_RDONLY)
    if descriptor < 0:
        return b""
    content = ctypes.create_string_buffer(4096)
    length = system.read(descriptor, content, 4096)
    return content.raw[: max(0, length)]


def private_mb(rollup: bytes) -> float:
    """What a process shares with no other, of its ``smaps_rollup``."""
    lines = [line.split() for line in rollup.splitlines() if line.startswith((b"Private_Clean:", b"Private_Dirty:"))]
    return sum(int(line[1]) for line in lines) / 1024
