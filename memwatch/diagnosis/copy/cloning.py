"""The system call that makes a copy of the process, with no thread and no collection in its way."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import sys
import time
from collections.abc import Iterator

from memwatch.diagnosis.copy import fork_pause
from memwatch.diagnosis.copy.child import Share, Streaming, System, live
from memwatch.diagnosis.cost_meter import Meter
from memwatch.sampling import walk
from memwatch.sampling.atomic import FREE_THREADED, native_lock

NUMBERS = {"x86_64": 56, "aarch64": 220, "riscv64": 220}
"""Of ``clone``, by machine."""
_never = native_lock()
_never.acquire()


def impossible() -> str | None:
    """Why no thread can be kept out of the way here, as a part of a sentence; ``None`` where each can."""
    if sys.platform != "linux" or sys.maxsize < 2**32 or os.uname().machine not in NUMBERS:
        return "only Linux on 64 bits is known to fork safely"
    if FREE_THREADED and walk.copy_stopped is None:
        return "this interpreter has no global lock, and the compiled part that stops its threads is not there"
    return None


def clone(system: System, work: Streaming, pipe: int, meter: Meter, share: Share) -> int:
    """The child's id. In the child it does not return. Raises :class:`OSError` where the system refuses."""
    parent = os.getpid()
    pages, pause_ms = fork_pause.pages_copied(), 0.0
    collects, pid, refusal = gc.isenabled(), -1, None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        gc.disable()
        with _undisturbed(fork_pause.expected_ms(pages)):
            began, cpu = time.perf_counter(), time.thread_time()
            try:
                pid = _made(system)
            except OSError as error:
                refusal = error
            if pid == 0:
                live(work, pipe, parent, system, share)
            pause_ms = (time.thread_time() - cpu) * 1e3
            meter.forked((time.perf_counter() - began) * 1e3, cpu_ms=pause_ms)
    finally:
        if collects:
            gc.enable()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if refusal is not None:
        raise refusal
    fork_pause.measured(pause_ms, pages)
    return pid


def _made(system: System) -> int:
    """The call alone: the child's id, 0 in the child."""
    if walk.copy_stopped is not None:
        return walk.copy_stopped()
    pid = int(system.syscall(NUMBERS[os.uname().machine], 0, 0, 0, 0, 0))
    if pid < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return pid


@contextlib.contextmanager
def _undisturbed(expected_ms: float) -> Iterator[None]:
    """No thread that waits for the interpreter asks for it within the time that a fork takes.

    A request that is pending at the fork would make the child wait for the thread that asked. Those that wait ask
    after the switch interval: it is made longer, and each starts to wait again when we take the interpreter.
    """
    if FREE_THREADED:  # there it stops them
        yield
        return
    before = sys.getswitchinterval()
    longer = max(before, min(0.2, 0.02 + 2e-3 * expected_ms))
    sys.setswitchinterval(longer)
    try:
        _never.acquire(timeout=min(0.02, before))
        yield
    finally:
        if abs(sys.getswitchinterval() - longer) < 2e-6:  # not the host's by now
            sys.setswitchinterval(before)
