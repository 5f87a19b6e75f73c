"""Starts the agent a second after the program: what ends or becomes another program before costs next to nothing.

Until then a native thread waits, which is called off around each fork: a child waits for a second of its own. The
agent's modules are imported in that thread. It imports nothing that is the program's.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import gc
import os
import sys
import time

from memwatch.interpreters import is_main_interpreter
from memwatch.launch import imports, messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Ended = Callable[[str], None]
    """Called when the agent has been started, with an empty text, or with the reason why it was not."""

WAIT_S = 1.0
FORK_WAIT_S = 5.0
"""The longest that a fork waits for the imports, once in a process's life: a machine may be overloaded."""
_NO_COLLECTION = 20_000_003
"""Objects until a collection, in a :class:`Quiet` time: a value that no program sets, and of which a multiple fits."""
_FAULTS = (_signal.SIGSEGV, _signal.SIGBUS, _signal.SIGFPE, _signal.SIGILL, _signal.SIGABRT)
BLOCKED = frozenset(_signal.valid_signals()) - set(_FAULTS)
"""Signals that a thread of ours leaves to the program's."""


def _native(name: str) -> Any:
    """Of the module ``_thread``, also where gevent has replaced it before this module was imported."""
    monkey = sys.modules.get("gevent.monkey")
    return getattr(_thread, name) if monkey is None else monkey.get_original("_thread", name)


start_thread, new_lock, _thread_id = map(_native, ("start_new_thread", "allocate_lock", "get_native_id"))
_get_ident = _native("get_ident")
"""As they are now: gevent may replace them later."""


class Quiet:
    """A time without collections: one in a thread of ours would run the program's finalizers there.

    Whether the collector is enabled stays as it is, but for the moment in which the time begins.
    """

    def __init__(self) -> None:
        self._thresholds: tuple[int, ...] = ()

    def begin(self) -> None:
        enabled = gc.isenabled()
        gc.disable()  # the thresholds come in a tuple, which could be the one object too many
        found = gc.get_threshold()
        if found[0] != _NO_COLLECTION:  # of another such time
            self._thresholds = found
            gc.set_threshold(_NO_COLLECTION, *found[1:])
        if enabled:
            gc.enable()

    def end(self) -> None:
        """As before, unless the program has set other thresholds. Harmless when repeated."""
        if self._thresholds and gc.get_threshold()[0] == _NO_COLLECTION:
            gc.set_threshold(*self._thresholds)


class Starter:
    """One per process."""

    def __init__(
        self, environ: Mapping[str, str] | None = None, *, wait_s: float = WAIT_S, ended: Ended | None = None
    ) -> None:
        """``environ``: what the agent reads, instead of the environment of the process."""
        self.begin_at = time.monotonic() + wait_s
        self.environ = environ
        self._ended_with = ended or _say_why_not
        self._alarm = self._ended = new_lock()
        self._thread = 0
        self._running = False
        self.forking = 0
        self.importing = False
        self.done = False
        self.quiet = Quiet()

    def launch(self) -> None:
        """Wait in a thread, and start the agent."""
        alarm, ended = new_lock(), new_lock()
        alarm.acquire()
        ended.acquire()
        self._alarm, self._ended, self._running = alarm, ended, True
        self.quiet.begin()  # until the thread waits
        try:
            start_thread(self._run, (alarm, ended))
        except RuntimeError:  # the system gives no thread, or the interpreter ends
            self._running = False
            self.quiet.end()

    def _run(self, alarm: _thread.LockType, ended: _thread.LockType) -> None:
        try:
            self._thread = _thread_id()
            _signal.pthread_sigmask(_signal.SIG_BLOCK, BLOCKED)
            acquire, how = alarm.acquire, (True, max(0.0, self.begin_at - time.monotonic()))
            self.quiet.end()
            if not acquire(*how):  # makes no object
                self._start()
        finally:
            # What we import has asked for the current thread: the program would see one that never ends.
            threads = getattr(sys.modules.get("threading"), "_active", None)
            if threads is not None:
                threads.pop(_get_ident(), None)
            self._running = False
            ended.release()

    def _start(self) -> None:
        self.importing = True
        try:
            self.quiet.begin()
            from memwatch.launch import watch  # noqa: PLC0415 - not before the second is over

            config = watch.prepare(os.environ if self.environ is None else self.environ)
            self.importing = False
            if not self.forking:
                self.done = True
                watch.watch(config)
                self._ended_with("")
        except Exception as error:  # noqa: BLE001 - the program runs on
            self.done = True
            self._ended_with(_reason(error))
        finally:
            self.importing = False
            self.quiet.end()

    def call_off(self) -> None:
        """Before a fork: wait until the thread is gone."""
        self.forking += 1
        if not self._running:
            return
        ended, logs = self._ended, _logging_prepares_forks()
        if self._alarm.locked():
            self._alarm.release()
        lock = _logging_lock_taken()
        if lock is not None:
            lock.release()
        if ended.acquire(True, FORK_WAIT_S):
            ended.release()
            self._wait_until_gone()
        if lock is not None:
            lock.acquire()
        if _logging_prepares_forks() and not logs:
            # Imported while this fork was under way: what it does before one came too late, what it does after one
            # will be done. So it is done here.
            sys.modules["logging"]._lock.acquire()

    def _wait_until_gone(self) -> None:
        """The system's thread ends a moment after Python's, and ``os.fork()`` counts the system's."""
        path, deadline = f"/proc/self/task/{self._thread}", time.monotonic() + 0.05
        while time.monotonic() < deadline:
            try:
                os.stat(path)  # noqa: PTH116 - around each fork
            except OSError:
                return

    def call_back(self) -> None:
        """After a fork, in the parent."""
        self.forking -= 1
        if not (self.done or self.forking or self._running):
            self.launch()


_starter: Starter | None = None


def begin() -> None:
    """Have this process watched, and those that are forked from it. Nothing happens the second time."""
    global _starter  # noqa: PLW0603 - one per process
    if _starter is not None or _is_helper() or not is_main_interpreter():
        return
    _starter = Starter()
    messages.mark_first(os.environ)
    _hook()
    _starter.launch()


def put_in(environ: Mapping[str, str], ended: Ended) -> None:
    """Have this process watched that runs already, and has no agent: now, and as ``environ`` says."""
    global _starter
    is_first, _starter = _starter is None, Starter(environ, wait_s=0.0, ended=ended)
    if is_first:
        _hook()
        imports.note_loaded()
    _starter.launch()


def is_starting() -> bool:
    """Whether the agent is about to start here."""
    return _starter is not None and not _starter.done


def _hook() -> None:
    imports.install()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)


def _say_why_not(reason: str) -> None:
    if reason:
        messages.say(f"process {os.getpid()} is not watched: {reason}")


def _before_fork() -> None:
    if _starter is not None and not _starter.done:
        _starter.call_off()
        if _starter.done:  # the agent's own function for this came too late to be called
            sys.modules["memwatch.agent.lifecycle"]._before_fork()


def _after_in_parent() -> None:
    if _starter is not None and _starter.forking:
        _starter.call_back()


def _after_in_child() -> None:
    global _starter  # noqa: PLW0603 - one per process
    parents = _starter
    if parents is not None:
        parents.quiet.end()  # the thread that would is not here
    if parents is None or parents.done:  # the agent sees to its children itself
        return
    _starter = Starter(parents.environ)
    if parents.importing:  # the thread that holds the locks of these modules is not here
        _starter.done = True
    elif not _becomes_another_program():
        _starter.launch()


def _logging_prepares_forks() -> bool:
    """Whether :mod:`logging` is loaded so far that it takes its lock before forks."""
    return hasattr(sys.modules.get("logging"), "_after_at_fork_child_reinit_locks")


def _logging_lock_taken() -> Any:
    """The lock of :mod:`logging`, where it has taken that for this fork: what we import wants it too."""
    lock = getattr(sys.modules.get("logging"), "_lock", None) if _logging_prepares_forks() else None
    is_owned = getattr(lock, "_is_owned", None)
    return lock if is_owned is not None and is_owned() else None


def _becomes_another_program() -> bool:
    """Whether :mod:`subprocess` forked, with a ``preexec_fn``."""
    frame = sys._getframe(2)
    return frame.f_code.co_name == "_execute_child" and frame.f_globals.get("__name__") == "subprocess"


def _is_helper() -> bool:
    """Whether this is the process of :mod:`multiprocessing` that removes what others leave: it does nothing else."""
    return any("multiprocessing.resource_tracker import" in each for each in sys.orig_argv[:6])


def _reason(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"{error}; install memwatch for {sys.executable or 'its Python'}"
    return f"{error}"
