"""The lines that another program needs so that its reports come here, in the form of what starts it. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from types import MappingProxyType

from memwatch.agent.config import AgentConfig, values
from memwatch.transport.keys import service_key

PROGRAM = "uvicorn app:app"
"""Stands for the program."""


def service_name(name: str) -> str:
    """As given. Raises :class:`ValueError` for a name that no service can have; the text says what is right."""
    found = values.name(name.strip())
    if not found:
        raise ValueError('give a short name without "/", e.g. "api"')
    return found


def variables(config: AgentConfig, service: str = "", transport: str = "") -> dict[str, str]:
    """The environment of a program. ``config``: of an agent of this deployment.

    With a name of the service the key is that service's, else the deployment's own. ``transport``: the address as the
    program sees it, where that differs.
    """
    found = {"MEMWATCH_TRANSPORT": transport or config.transport}
    if config.command_key:
        found["MEMWATCH_COMMAND_KEY"] = service_key(config.command_key, service) if service else config.command_key
    if service:
        found["MEMWATCH_SERVICE"] = service
    if config.snapshot_interval != AgentConfig.snapshot_interval:
        found["MEMWATCH_SNAPSHOT_INTERVAL"] = f"{config.snapshot_interval:g}"
    if any(not text.isprintable() for text in found.values()):
        raise ValueError("the transport or the key has a line break or another character that cannot be printed")
    return found


def notes(config: AgentConfig, hub_url: str) -> list[str]:
    """What somebody should know who gives these lines to a program."""
    found = []
    if config.transport.startswith("local:"):
        found.append("The transport is a folder: only programs of this host and of its user or group can use it.")
    elif config.transport == hub_url:
        found.append(
            "This address may also read reports and write commands. Give programs a user of Redis with fewer rights: "
            "set TRANSPORT to that user and HUB_TRANSPORT to this address."
        )
    return found


def _shell(environment: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())


def _env(environment: Mapping[str, str]) -> str:
    """For ``docker run --env-file``, which takes every character as it is."""
    return "".join(f"{name}={value}\n" for name, value in environment.items())


def _compose(environment: Mapping[str, str]) -> str:
    lines = [f"      {name}: {_yaml(value.replace('$', '$$'))}\n" for name, value in environment.items()]
    return "".join(
        [
            "services:\n",
            f"  {_label(environment)}:\n",
            f"    command: memwatch run -- {PROGRAM}\n",
            "    environment:\n",
            *lines,
        ]
    )


def _systemd(environment: Mapping[str, str]) -> str:
    def quoted(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")

    lines = [f'Environment="{name}={quoted(value)}"\n' for name, value in environment.items()]
    return "".join(
        ["[Service]\n", *lines, f"ExecStart=/srv/app/.venv/bin/memwatch run -- /srv/app/.venv/bin/{PROGRAM}\n"]
    )


def _kubernetes(environment: Mapping[str, str]) -> str:
    name = f"memwatch-{_label(environment)}"
    lines = [f"  {key}: {_yaml(value)}\n" for key, value in environment.items()]
    return "".join(
        [
            "apiVersion: v1\nkind: Secret\n",
            f"metadata: {{ name: {name} }}\nstringData:\n",
            *lines,
            "# In the container of the program:\n",
            f"#   envFrom: [{{ secretRef: {{ name: {name} }} }}]\n",
            f'#   command: ["memwatch", "run", "--", {", ".join(map(json.dumps, PROGRAM.split()))}]\n',
        ]
    )


def _yaml(text: str) -> str:
    """JSON's strings are YAML's."""
    return json.dumps(text, ensure_ascii=False)


def _label(environment: Mapping[str, str]) -> str:
    """The name of the service as Kubernetes and Compose take names."""
    return re.sub(r"[^a-z0-9]+", "-", environment.get("MEMWATCH_SERVICE", "").lower()).strip("-")[:40] or "program"


FORMATS: Mapping[str, Callable[[Mapping[str, str]], str]] = MappingProxyType(
    {"shell": _shell, "compose": _compose, "systemd": _systemd, "kubernetes": _kubernetes, "env": _env}
)
"""By what starts the program."""
