"""What a program says of itself: a server, what is done to its processes, and what is right to say of their ends."""

from __future__ import annotations

import dataclasses
from signal import Signals

WEB = ("sync", "gthread", "gunicorn uvicorn", "uvicorn")
POOLS = ("prefork", "threads", "solo")
EXPORT = "export"
"""The job that does what the program wants."""
COMMANDS = ("command", "script")
SERVERS = (*WEB, *POOLS, *COMMANDS)
HALVES = ("tuning", "scoring", "scoring-2")
OOM = ("oom_process", "oom_container")
STOPPED = ("stopped", "goodbye")
"""A process that said goodbye and one that did not: both were asked to end."""
KERNEL = ("oom_process",)
"""The kernel has killed this one alone."""
UNSEEN = ("sigkill", "unknown")
"""Where all who could have seen it ended as well."""
GONE = ("host_gone", *UNSEEN)
IDLE = ""
"""The job of a process that ran none."""

LIMIT_MB, MUCH = 480.0, 700.0
"""What the server's memory cgroup may take, and more than that."""
LONG = 100.0
"""Seconds: a job that is not done when it ends."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """Start a job, and wait until it has begun. It is the one whose process is the victim, unless said otherwise."""

    deed: str
    """A key of ``deathsite.deeds.DEEDS``."""
    amount: float = 0.0
    """Of the deed: MB, MB a second, or seconds."""
    times: int = 1
    """Jobs that are started at once."""
    name: str = EXPORT
    """Of the job."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Again:
    """Start a job again and again, each when the one before has ended, until a process ends."""

    deed: str
    amount: float
    most: int = 200


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """Send a signal."""

    number: Signals
    to: str = "child"
    """``child``: one; ``children``: all; ``doer``: who runs the started job; ``main``: the server's first process;
    ``forked``: the process that a job has forked; ``newest``: the child that was started last; ``all``."""
    count: int = 1
    """Of ``child``."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass."""

    seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    """Start a process in the server's memory cgroup that takes memory. memwatch does not watch it."""

    mb: float
    spared: bool = False
    """The kernel kills any other process first."""
    seconds: float = 8.0
    """It takes so long to grow."""
    wait_for_its_end: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Replace:
    """Wait for the end of a child, and for the start of its successor."""

    after_s: float
    """So long after its successor's start the next step follows."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """One of Celery's remote controls."""

    name: str
    """``pool_shrink``, ``revoke`` or ``revoke with SIGKILL``."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Restart:
    """Wait for the end of the server, and start it again at once, as a supervisor does."""


Step = Start | Again | Signal | Wait | Neighbour | Replace | Control | Restart


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """What is right to say of some of the processes that end."""

    right: tuple[str, ...]
    """Reasons; the first one is what happened, the others say less and nothing wrong."""
    job: str | None = None
    """The job that was running; ``IDLE`` where none was; ``None``: not judged."""
    who: str = "child"
    """``main``, ``child``, ``doer``, ``forked`` or ``any``."""
    at_least: int = 1
    at_most: int = 1
    may_lack: bool = False
    """It may also be that nothing is known of it: it ended before it was watched."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """One way in which processes end."""

    name: str
    half: str
    """``tuning``: rules are looked at with it; ``scoring`` and ``scoring-2``: they are not."""
    server: str
    do: tuple[Step, ...]
    ends: tuple[End, ...] = ()
    """Whatever else ends was not to end; without any, all survive."""
    processes: int = 2
    options: tuple[str, ...] = ()
    """Further ones of the server."""
    limit_mb: float | None = None
    """Of the server's memory cgroup."""
    address_space_mb: float | None = None
    """``RLIMIT_AS`` of each process."""
    transport: str = "local"
    interval_s: float = 5.0
    busy: bool = True
    """Short jobs all the time, so that others run beside the victim's; without them, the server is idle."""
    beside: bool = False
    """A process of memwatch's own is watched on the machine, as its worker is with ``local:``."""
    apart: bool = False
    """A host of its own: no other process sees its pids and its files."""
    whole_group: bool = False
    """The kernel kills all processes of the cgroup together. Only version 2 of cgroups can."""

    @property
    def has_watched_main(self) -> bool:
        """Whether the process that is started is one with an agent: gunicorn's master has none."""
        if self.server == "uvicorn":
            return self.processes == 1
        return self.server not in WEB

    @property
    def has_children(self) -> bool:
        """Whether jobs run in processes of their own."""
        return self.server == "prefork" or not self.has_watched_main

    def job(self, short: str) -> str:
        """As memwatch calls the job of that name."""
        if self.server in COMMANDS:
            return "export_reports" if self.server == "command" else ""
        return f"reports{':' if self.server in WEB else '.'}{short}"

    @property
    def watched(self) -> int:
        """Processes with an agent."""
        return int(self.has_watched_main) + (self.processes if self.has_children else 0)
