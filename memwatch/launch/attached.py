"""What ``memwatch attach`` runs in the process that it is given: light, since the program's own thread runs it.

All that takes time is done in a thread. The answer is a file, whose name the script brought along.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

PUT_IN, TAKE_OUT, LOOK = "put in", "take out", "look"
WATCHED, ENDED, LOOKED, FAILED = "watched", "ended", "looked", "failed"
"""The first word of an answer; what follows is a reason, or the snapshot as JSON."""
_FORK_WAIT_S = 2.0
"""The longest that a fork waits for a thread of ours."""
_MOMENT_S = 0.02
_put_in = False


def begin(what: str, environ: Mapping[str, str], answer: str) -> None:
    """Do it, and leave the answer in a file of this name."""

    def tell(word: str, text: str = "") -> None:
        try:
            _write(answer, f"{word}\n{text}".encode(errors="backslashreplace"))
        except OSError:  # the wait has ended
            return

    from memwatch.launch import starter  # noqa: PLC0415

    _wait_for_others(_MOMENT_S)  # one that has answered ends in a moment
    if what == PUT_IN and (_agent() is not None or starter.is_starting()):
        tell(FAILED, "it has an agent already")
    elif _others or starter.is_starting():
        tell(FAILED, "memwatch is at work in it: try again in some seconds")
    else:
        {PUT_IN: _watch, TAKE_OUT: _end, LOOK: _look}[what](environ, tell)


def _write(name: str, content: bytes) -> None:
    """At once: who waits for the file finds all of it."""
    part = f"{name}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)
    os.replace(part, name)  # noqa: PTH105 - pathlib may not be loaded here


def _watch(environ: Mapping[str, str], tell: Callable[..., None]) -> None:
    from memwatch.interpreters import is_main_interpreter  # noqa: PLC0415
    from memwatch.launch import starter  # noqa: PLC0415

    if not is_main_interpreter():
        tell(FAILED, "the program runs in a sub-interpreter")
    else:
        starter.put_in(environ, lambda reason: _started(reason, tell))


def _started(reason: str, tell: Callable[..., None]) -> None:
    global _put_in  # noqa: PLW0603 - one per process
    _put_in = _put_in or not reason
    tell(FAILED if reason else WATCHED, reason)


def _end(_environ: Mapping[str, str], tell: Callable[..., None]) -> None:
    if _agent() is None:
        tell(FAILED, "it has no agent")
    elif not _put_in:
        tell(FAILED, "its agent was not put in by memwatch attach: start the program without memwatch run")
    else:
        _in_thread(lambda: _take_out(tell), tell)


def _take_out(tell: Callable[..., None]) -> None:
    global _put_in  # noqa: PLW0603 - one per process
    from memwatch.agent import lifecycle  # noqa: PLC0415 - the agent runs: it is loaded

    lifecycle.end()
    _put_in = False
    tell(ENDED)


def _look(_environ: Mapping[str, str], tell: Callable[..., None]) -> None:
    _in_thread(lambda: _take_snapshot(tell), tell)


def _take_snapshot(tell: Callable[..., None]) -> None:
    """By a sampler of its own: what an agent's sampler tells, its next report would lack."""
    import json  # noqa: PLC0415 - in the thread

    from memwatch.sampling import Sampler  # noqa: PLC0415
    from memwatch.sampling.walk import stop_walk  # noqa: PLC0415

    found = Sampler().sample(census=True).to_dict()
    if _agent() is None:
        stop_walk()  # nothing of ours stays in the collector's lists
    tell(LOOKED, json.dumps(found))


def _in_thread(work: Callable[[], None], tell: Callable[..., None]) -> None:
    """Run it in a native thread that leaves signals to the program's, and that forks wait for.

    All of it is a quiet time (:class:`memwatch.launch.starter.Quiet`), so there is one such thread at a time.
    """
    from memwatch.launch import starter  # noqa: PLC0415

    entry = ended, quiet = starter.new_lock(), starter.Quiet()
    ended.acquire()

    def run() -> None:
        try:
            _signal.pthread_sigmask(_signal.SIG_BLOCK, starter.BLOCKED)
            work()
        except Exception as error:  # noqa: BLE001 - the program runs on
            tell(FAILED, f"{type(error).__name__}: {error}")
        finally:
            _others.remove(entry)
            quiet.end()
            ended.release()

    _hook_others()
    _others.append(entry)
    quiet.begin()
    try:
        starter.start_thread(run, ())
    except BaseException:
        _others.remove(entry)
        quiet.end()
        raise


_others: list[tuple[Any, Any]] = []
"""One for each thread of :func:`_in_thread`: a lock that is locked until it ends, and its quiet time."""
_others_hooked = False


def _hook_others() -> None:
    global _others_hooked  # noqa: PLW0603 - one per process
    if not _others_hooked and hasattr(os, "register_at_fork"):
        _others_hooked = True
        os.register_at_fork(before=_wait_for_others, after_in_child=_forget_others)


def _wait_for_others(most_s: float = _FORK_WAIT_S) -> None:
    """A fork amid an import would leave the child a lock that is never released."""
    for ended, _quiet in _others.copy():  # threads take theirs out
        if ended.acquire(True, most_s):
            ended.release()


def _forget_others() -> None:
    for _ended, quiet in _others:
        quiet.end()
    _others.clear()


def _agent() -> Any:
    lifecycle = sys.modules.get("memwatch.agent.lifecycle")
    return None if lifecycle is None else lifecycle.current()
