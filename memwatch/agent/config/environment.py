"""The agent's configuration, from environment variables alone: for programs without settings of Django."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Mapping
from typing import Any

from memwatch.agent.config import AgentConfig, values

PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "service": values.name,
    "host": values.name,
    "release": values.text,
    "snapshot_interval": values.between(0.2, 86_400, "60"),
    "top_objects_count": values.whole(1, 200, "20"),
    "enable_tracemalloc": values.flag,
    "pause_budget_ms": values.between(1, 60_000, "50"),
    "cpu_budget_percent": values.between(0.01, 100, "0.5"),
    "heap_limit_mb": values.optional_limit,
    "work": values.flag,
    "traces": values.traces,
    "flight_recorder": values.flag,
    "transport": values.transport,
    "command_key": values.text,
    "command_key_previous": values.keys,
    "record_values": values.flag,
}
"""By field of :class:`AgentConfig`. The variable is ``MEMWATCH_`` and the field in upper case."""
KEY_FILE = "MEMWATCH_COMMAND_KEY_FILE"
_SECRET = ("command_key", "command_key_previous", "transport")
_MOST_KEY_BYTES = 4096


def is_on(environ: Mapping[str, str]) -> bool:
    """Whether this process is to be watched: a transport is named, and ``MEMWATCH_AGENT`` does not say ``off``."""
    try:
        wanted = values.flag(environ.get("MEMWATCH_AGENT", "on"))
    except ValueError:
        wanted = True
    return wanted and bool(environ.get("MEMWATCH_TRANSPORT"))


def agent_config(environ: Mapping[str, str]) -> AgentConfig:
    """What these variables say. Raises :class:`ValueError` that names each wrong one and what would be right."""
    found: dict[str, Any] = {"host": socket.gethostname(), "command_key": ""}
    wrong = []
    for name, parse in PARSERS.items():
        variable = f"MEMWATCH_{name.upper()}"
        if variable in environ:
            try:
                value = parse(environ[variable])
                if name == "transport":
                    value = _complete(value)
            except ValueError as error:
                shown = "***" if name in _SECRET else repr(environ[variable][:80])
                wrong.append(f"{variable} is {shown}: {error}")
                continue
            if value is not None:
                found[name] = value
    if "transport" not in found and not wrong:
        wrong.append("MEMWATCH_TRANSPORT is not set: give local:///a/folder or redis://host:6379/0")
    if environ.get(KEY_FILE) and not found["command_key"]:
        try:
            found["command_key"], *previous = read_keys(environ[KEY_FILE])
            found["command_key_previous"] = (*previous, *found.get("command_key_previous", ()))
        except ValueError as error:
            wrong.append(f"{KEY_FILE}: {error}")
    if wrong:
        raise ValueError("; ".join(wrong))
    if environ.get("MEMWATCH_HUB_TRANSPORT"):  # a process with the rights of the server shows no values
        found["record_values"] = False
    return AgentConfig(**found)


def read_keys(path: str) -> list[str]:
    """The keys that a file holds, one a line: the present one, then earlier ones.

    Raises :class:`ValueError` if there is none.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would wait for its writer
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError(f"{path} is no regular file")
            lines = file.read(_MOST_KEY_BYTES).decode().splitlines()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text") from None
    keys = [line.strip() for line in lines if line.strip()]
    if not keys:
        raise ValueError(f"{path} is empty: it must hold the key that signs commands")
    return keys


def _complete(transport: str) -> str:
    if transport.rstrip("/") in ("local", "local:"):
        raise ValueError("name the folder, e.g. local:///var/run/memwatch")
    return transport
