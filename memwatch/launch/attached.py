"""What ``memwatch attach`` runs in the process that it is given: light, since the program's own thread runs it.

All that takes time is done in a thread. The answer is a file, whose name the script brought along.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

PUT_IN, TAKE_OUT, LOOK = "put in", "take out", "look"
WATCHED, ENDED, LOOKED, FAILED = "watched", "ended", "looked", "failed"
"""The first word of an answer; what follows is a reason, or the snapshot as JSON."""
_put_in = False


def begin(what: str, environ: Mapping[str, str], answer: str) -> None:
    """Do it, and leave the answer in a file of this name."""

    def tell(word: str, text: str = "") -> None:
        try:
            _write(answer, f"{word}\n{text}".encode(errors="backslashreplace"))
        except OSError:  # the wait has ended
            return

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
    elif _agent() is not None or starter.is_busy():
        tell(FAILED, "it has an agent already")
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
    import json  # noqa: PLC0415 - in the thread

    from memwatch.sampling import Sampler  # noqa: PLC0415
    from memwatch.sampling.walk import stop_walk  # noqa: PLC0415

    agent = _agent()
    sampler = Sampler() if agent is None else agent.sampler
    found = sampler.sample(census=True).to_dict()
    if agent is None:
        stop_walk()  # nothing of ours stays in the collector's lists
    tell(LOOKED, json.dumps(found))


def _in_thread(work: Callable[[], None], tell: Callable[..., None]) -> None:
    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the program runs on
            tell(FAILED, f"{type(error).__name__}: {error}")

    from memwatch.launch import starter  # noqa: PLC0415

    starter.in_thread(run)


def _agent() -> Any:
    lifecycle = sys.modules.get("memwatch.agent.lifecycle")
    return None if lifecycle is None else lifecycle.current()
