"""Who this process is: its identity, its service, what it runs."""

from __future__ import annotations

import dataclasses
import functools
import gc
import os
import platform
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from memwatch import __version__
from memwatch.records.server_settings import Values
from memwatch.sampling.allocator.settings import allocator_settings
from memwatch.sampling.identity.program import guess_program, guess_service, worker_name
from memwatch.sampling.isolation import psutil
from memwatch.sampling.procmem import read_bytes
from memwatch.sampling.redaction import command_line
from memwatch.sampling.resource import resource
from memwatch.sampling.type_names import clean
from memwatch.sampling.walk import census_method

MAX_EXTENSION_MODULES = 100


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ProcessInfo:
    """Who a process is. ``host``, ``pid``, ``started_at`` and ``nonce`` are its identity, together its ``key``."""

    host: str
    pid: int
    started_at: datetime
    nonce: str
    service: str
    program: str = ""
    """What runs: ``gunicorn worker``, ``celery main``, ``celery child``, ``celery beat``, ``manage.py <command>``, …"""
    command_line: str = ""
    """With secrets redacted, at most 300 characters."""
    parent_pid: int | None = None
    release: str = ""
    python: str = ""
    agent: str = ""
    """memwatch's version in that process."""
    extension_modules: tuple[str, ...] = ()
    """Top-level packages with compiled modules loaded: the candidates for native growth."""
    census_method: str = ""
    """How its objects are counted: ``native walk``, or ``fallback`` or ``nothing`` and why."""
    cpu_budget_percent: float | None = None
    """Share of one CPU, on average, for looking at its heap: it decides how often objects are counted."""
    start_method: str = ""
    """How it was made: ``fork``, ``forkserver`` or ``spawn``; empty for a program that was started by itself."""
    frozen_objects: int | None = None
    """Objects that ``gc.freeze()`` has set apart, when the process was first described."""
    allocator_settings: Mapping[str, str] | None = None
    """Variables of its environment that the allocators read; ``None`` where its agent does not say."""
    server_settings: Values = dataclasses.field(default_factory=dict)
    """What its server says of itself: :data:`memwatch.records.server_settings.DECLARED`."""
    resource: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Attributes of its OpenTelemetry resource: :mod:`memwatch.sampling.resource`."""

    @property
    def key(self) -> str:
        """The identity as one text, e.g. ``web1:4711:1767225600.123:9f8a6c2e``."""
        return f"{self.host}:{self.pid}:{self.started_at.timestamp():.3f}:{self.nonce}"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class OutsideProcess:
    """A process without an agent, seen from outside by its eldest child (gunicorn's master, uvicorn's supervisor)."""

    pid: int
    started_at: datetime
    program: str
    command_line: str
    rss_mb: float
    vms_mb: float
    timestamp: datetime


def describe_process(
    *,
    service: str | None,
    host: str,
    release: str,
    nonce: str,
    cpu_budget_percent: float | None = None,
    server_settings: Values | None = None,
) -> ProcessInfo:
    """This process. ``service``: ``None`` to guess it from the program. ``nonce``: drawn again after each fork."""
    arguments = own_arguments()
    program = guess_program(arguments, worker_name=worker_name(), parent_arguments=arguments_of(os.getppid()))
    return ProcessInfo(
        host=clean(host) or "unknown",  # as the server will read it: the key must be the same on both sides
        pid=os.getpid(),
        started_at=started_at(),
        nonce=nonce,
        service=service or guess_service(program),
        program=program[:100],
        command_line=command_line(arguments),
        parent_pid=os.getppid(),
        release=release,
        python=platform.python_version(),
        agent=__version__,
        extension_modules=extension_modules(),
        census_method=clean(census_method()),
        cpu_budget_percent=cpu_budget_percent,
        start_method=start_method(),
        frozen_objects=_frozen_objects(os.getpid()),
        allocator_settings=allocator_settings(),
        server_settings=dict(server_settings or {}),
        resource=resource(),
    )


def started_at() -> datetime:
    """When the system started this process."""
    try:
        ticks = int((read_bytes("/proc/self/stat") or b"").rpartition(b")")[2].split()[19])
        _, _, after = (read_bytes("/proc/stat", 1 << 20) or b"").partition(b"\nbtime ")
        return datetime.fromtimestamp(ticks / os.sysconf("SC_CLK_TCK") + int(after.split(maxsplit=1)[0]), UTC)
    except (IndexError, ValueError):  # no Linux
        return _started_elsewhere()


def _started_elsewhere() -> datetime:
    system = psutil()
    try:
        return datetime.fromtimestamp(system.Process().create_time(), UTC)
    except (system.Error, OSError):
        return datetime.now(UTC)


_FORKED = 0x40
"""The kernel's PF_FORKNOEXEC: the process was forked and has started no other program since."""


def start_method(stat: Path | str = "/proc/self/stat") -> str:
    """``fork``, ``forkserver`` or ``spawn``; empty for a program that was started by itself, or where it is unknown."""
    fields = (read_bytes(str(stat)) or b"").rpartition(b")")[2].split()
    forked = len(fields) > 6 and fields[6].isdigit() and bool(int(fields[6]) & _FORKED)
    module = sys.modules.get("multiprocessing.process")
    if module is None or module.parent_process() is None:
        return "fork" if forked else ""
    method = getattr(type(module.current_process()), "_start_method", None)
    known = type(method) is str and method in ("fork", "forkserver", "spawn")
    return str(method) if known else "fork" if forked else "spawn"


@functools.lru_cache(maxsize=1)
def _frozen_objects(_pid: int) -> int:
    """Once in a process's life: the interpreter walks all of them to count them."""
    return gc.get_freeze_count()


def own_arguments() -> list[str]:
    """``sys.argv`` where it says what runs, else the interpreter's original arguments.

    A process spawned by multiprocessing has its parent's arguments in ``sys.argv``: they say what it runs.
    """
    # join() copies a subclass of str to a plain one, and isinstance() would ask an object for its class
    arguments = ["".join((argument,)) for argument in getattr(sys, "argv", []) if issubclass(type(argument), str)]
    if arguments and arguments[0] not in ("", "-c", "-m"):
        return arguments
    return list(sys.orig_argv)


def arguments_of(pid: int) -> list[str]:
    """The arguments of another process; empty where they cannot be read."""
    raw = read_bytes(f"/proc/{pid}/cmdline")
    if raw is not None:
        return [argument.decode(errors="replace") for argument in raw.rstrip(b"\0").split(b"\0")]
    if os.path.isdir("/proc/self"):  # noqa: PTH112 - no more than a look
        return []
    system = psutil()
    try:
        arguments: list[str] = system.Process(pid).cmdline()
        return arguments
    except (system.Error, OSError, ValueError):
        return []


def extension_modules(maps: Path | str = "/proc/self/maps") -> tuple[str, ...]:
    """The top-level packages outside the standard library that have compiled modules loaded, in order of name.

    Read from the process's memory map, so that no module of the host is touched; empty where there is none.
    """
    content = (read_bytes(str(maps), 16 << 20) or b"").decode(errors="replace")
    found = re.findall(r"/(?:site|dist)-packages/([^/\n]+)(?=/|\.so|\.abi3|\.cpython)[^\n]*\.so", content)
    names = {name.partition(".")[0].removesuffix("_libs") for name in found if not name.endswith(".libs")}
    return tuple(sorted(names)[:MAX_EXTENSION_MODULES])
