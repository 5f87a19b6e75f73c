"""One agent a process: started once, paused around a fork, started again in the child, ended with a goodbye."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys

from memwatch.agent import recordings, work_counters
from memwatch.agent.agent import Agent
from memwatch.agent.config import AgentConfig
from memwatch.agent.work import meter
from memwatch.sampling.walk import stop_walk
from memwatch.transport import TransportUnavailable, gevent_compat, open_uplink

logger = logging.getLogger("memwatch.agent")

START_DELAY_S = 1.0
"""Work begins no sooner: a child that is forked to become another program never does any."""
FORK_WAIT_S = 0.25
"""The longest that a fork waits for the agent to be out of the way. Python 3.12 and newer warn the host of a second
thread, which a host may take for an error; on a busy machine a thread may not have its turn within 50 ms. A longer
wait would hold up forks while the transport does not answer."""
EXIT_WAIT_S = 0.3
"""The longest that the interpreter's exit waits for the goodbye."""

_starting = gevent_compat.new_lock()
_agent: Agent | None = None
_config: AgentConfig | None = None
"""Of the agent that was started last, here or in the process that this one was forked from."""
_paused: dict[int, Agent] = {}
"""By the thread that is forking."""
_hooked = False


def start(config: AgentConfig, *, delay_s: float = START_DELAY_S, waited: bool = False) -> Agent | None:
    """Start this process's agent, or return the one that runs. ``None`` when the system gives no thread.

    ``waited``: the caller has waited for the first second, in which nothing is done.

    Raises :class:`ValueError` for a transport's URL that is wrong.
    """
    global _agent, _config  # noqa: PLW0603 - one per process
    with _starting:
        running = current()
        if running is not None:
            return running
        _load_transport(config.transport)
        _hook()
        agent = Agent(config, start_delay_s=0.0 if waited else max(START_DELAY_S, delay_s))
        _config = config
        if not _launch(agent):
            return None
        _agent = agent
        return agent


def ensure() -> None:
    """Start the agent where a process began in a way that no hook saw. Cheap where it runs, or never did."""
    if _config is not None and current() is None:
        try:
            start(_config)
        except Exception:
            logger.exception("memwatch: the agent cannot be started; this process is not watched")


def current() -> Agent | None:
    """The running agent of this very process."""
    agent = _agent
    return agent if agent is not None and agent.pid == os.getpid() else None


def stop(timeout_s: float = 2.0) -> None:
    """End this process's agent, with a goodbye if there is time for one."""
    global _agent  # noqa: PLW0603 - one per process
    agent = current()
    _agent = None
    if agent is not None:
        agent.thread.stop(timeout_s)


def end() -> None:
    """End this process's agent for good: nothing starts it again, here or in what is forked from here."""
    global _config  # noqa: PLW0603 - one per process
    _config = None
    stop()
    meter.end_process()


def _load_transport(url: str) -> None:
    """Import its modules here: a fork amid an import in another thread would leave a lock locked in the child."""
    with contextlib.suppress(TransportUnavailable):
        open_uplink(url, "").close()


def _launch(agent: Agent) -> bool:
    try:
        agent.thread.start()
    except RuntimeError as error:
        logger.warning("memwatch: no thread for the agent (%s): this process is not watched", error)
        return False
    return True


def _hook() -> None:
    global _hooked  # noqa: PLW0603 - hooks stay for the process's life and its children's
    if not _hooked:
        _hooked = True
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
        atexit.register(stop, EXIT_WAIT_S)


def _before_fork() -> None:
    agent = current()
    if agent is not None and agent.thread.pause(FORK_WAIT_S):
        _paused[_ident()] = agent
    recordings.release_objects()


def _after_in_parent() -> None:
    agent = _paused.pop(_ident(), None)
    if agent is not None:
        try:
            agent.thread.resume()
        except RuntimeError as error:
            logger.warning("memwatch: no thread for the agent (%s): this process is no longer watched", error)


def _after_in_child() -> None:
    """The parent's agent does not exist here. It is not stopped, closed or excused: it lives on where it belongs."""
    global _agent, _starting  # noqa: PLW0603 - one per process
    parents, _agent = _agent, None
    _starting = gevent_compat.new_lock()
    _paused.clear()
    work_counters.reset()
    if meter.meter() is not None:
        meter.begin_process()
    recordings.begin_anew()
    stop_walk()
    if parents is not None:
        parents.thread.collector.end()  # its thread, which would do so, is not here
        parents.leave_to_parent()
    if parents is None or parents.pid == os.getpid() or _becomes_another_program():
        return
    agent = Agent(parents.config, start_delay_s=START_DELAY_S, forked_from=parents.pid)
    if _launch(agent):
        _agent = agent


def _becomes_another_program() -> bool:
    """Whether :mod:`subprocess` forked, with a ``preexec_fn``: the child execs in a moment."""
    frame = sys._getframe(2)
    return frame.f_code.co_name == "_execute_child" and frame.f_globals.get("__name__") == "subprocess"


def _ident() -> int:
    ident: int = gevent_compat.original("_thread", "get_ident")()
    return ident
