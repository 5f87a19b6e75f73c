"""The lines for another program, read as what starts it reads them."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml

from memwatch.agent.config import AgentConfig
from memwatch.launch import lines
from memwatch.transport.keys import service_key

HOSTILE = """redis://u:p$w'o`r"d\\%n #; & é@hub:6379/0"""
CONFIG = AgentConfig(transport=HOSTILE, command_key="k", host="h")
WANTED = {
    "MEMWATCH_TRANSPORT": HOSTILE,
    "MEMWATCH_COMMAND_KEY": service_key("k", "Order API"),
    "MEMWATCH_SERVICE": "Order API",
}


def made(form: str) -> str:
    return lines.FORMATS[form](lines.variables(CONFIG, "Order API"))


def test_a_shell_evaluates_them() -> None:
    script = 'eval "$0"; printf "%s\\n" "$MEMWATCH_TRANSPORT" "$MEMWATCH_COMMAND_KEY" "$MEMWATCH_SERVICE"'
    done = subprocess.run(["sh", "-c", script, made("shell")], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == list(WANTED.values())


def test_compose_reads_them() -> None:
    ((name, service),) = yaml.safe_load(made("compose"))["services"].items()
    assert name == "order-api"
    assert {key: value.replace("$$", "$") for key, value in service["environment"].items()} == WANTED
    assert service["command"].startswith("memwatch run -- ")


def test_kubernetes_reads_them() -> None:
    secret: dict[str, Any] = yaml.safe_load(made("kubernetes"))
    assert secret["stringData"] == WANTED
    assert secret["metadata"]["name"] == "memwatch-order-api"
    assert "envFrom: [{ secretRef: { name: memwatch-order-api } }]" in made("kubernetes")


def test_systemd_reads_them() -> None:
    """Its rules: C-style escapes within quotes, and two percent signs for one."""
    read = {}
    for line in made("systemd").splitlines():
        if line.startswith('Environment="'):
            text = line.removeprefix('Environment="').removesuffix('"')
            text = text.replace("%%", "%").replace('\\"', '"').replace("\\\\", "\\")
            read[text.partition("=")[0]] = text.partition("=")[2]
    assert read == WANTED


def test_an_environment_file_has_them_as_they_are() -> None:
    assert made("env").splitlines() == [f"{name}={value}" for name, value in WANTED.items()]


def test_without_a_service_the_key_is_the_deployments() -> None:
    found = lines.variables(CONFIG, transport="redis://outside/0")
    assert found == {"MEMWATCH_TRANSPORT": "redis://outside/0", "MEMWATCH_COMMAND_KEY": "k"}


def test_an_interval_of_the_deployment_goes_along() -> None:
    config = AgentConfig(transport="local:///x", command_key="k", host="h", snapshot_interval=2.5)
    assert lines.variables(config)["MEMWATCH_SNAPSHOT_INTERVAL"] == "2.5"


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a\nb", "x" * 101])
def test_a_name_that_no_service_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="give a short name"):
        lines.service_name(name)


def test_a_key_with_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        lines.variables(AgentConfig(transport="local:///x", command_key="a\nb", host="h"))


def test_who_gives_them_away_learns_what_they_allow() -> None:
    assert (
        "only programs of this host"
        in lines.notes(AgentConfig(transport="local:///x", command_key="", host="h"), "")[0]
    )
    assert "fewer rights" in lines.notes(CONFIG, HOSTILE)[0]
    assert lines.notes(CONFIG, "redis://hub-user@hub/0") == []
