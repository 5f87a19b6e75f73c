"""What a server says of how it runs and recycles its processes: each setting that is read, declared once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

MAX_TEXT = 200
MAX_WHOLE = 2**53

Value = int | str | bool
Values = Mapping[str, Value]


class Declared(NamedTuple):
    """A setting of a server."""

    type: type[int] | type[str] | type[bool]
    label: str


DECLARED: Mapping[str, Declared] = {
    "server": Declared(str, "Server"),
    "workers": Declared(int, "Workers"),
    "threads": Declared(int, "Threads"),
    "worker_class": Declared(str, "Worker class"),
    "timeout": Declared(int, "Timeout in seconds"),
    "preload": Declared(bool, "Application preloaded"),
    "max_requests": Declared(int, "Requests until a worker is replaced"),
    "max_requests_jitter": Declared(int, "Random addition to these"),
    "pool": Declared(str, "Pool"),
    "concurrency": Declared(int, "Concurrency"),
    "max_tasks_per_child": Declared(int, "Tasks until a child is replaced"),
    "max_memory_per_child": Declared(int, "KB from which a child is replaced"),
}
"""By name, in the order in which they are shown. For a limit, 0 means none."""


def plain(name: str, value: object) -> Value | None:
    """The value where it is one of the declared type; ``None`` for everything else."""
    declared = DECLARED.get(name)
    if declared is None or type(value) is not declared.type:
        return None
    if type(value) is int:
        return value if 0 <= value <= MAX_WHOLE else None
    if type(value) is str:
        return value[:MAX_TEXT] if value and value.isprintable() else None
    return value if type(value) is bool else None
