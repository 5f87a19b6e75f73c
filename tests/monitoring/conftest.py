"""Prometheus and its tools, where they are installed."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest

from tests.servers import Server, find_program, require

_REMEDY = "install Prometheus 2.42 or newer, e.g. apt-get install prometheus"


@pytest.fixture(scope="session")
def promtool() -> str:
    """Its path, or the test is skipped."""
    return require("prometheus", find_program("promtool"), _REMEDY)


@pytest.fixture(scope="session")
def prometheus_program() -> str:
    """The server's path, or the test is skipped."""
    return require("prometheus", find_program("prometheus"), _REMEDY)


@pytest.fixture(scope="session")
def alertmanager_program() -> str:
    """The server's path, or the test is skipped."""
    program = find_program("prometheus-alertmanager") or find_program("alertmanager")
    return require(
        "alertmanager", program, "install Alertmanager 0.25 or newer, e.g. apt-get install prometheus-alertmanager"
    )


@pytest.fixture(scope="session")
def amtool() -> str:
    """Alertmanager's tool, or the test is skipped."""
    remedy = "install Alertmanager 0.25 or newer, e.g. apt-get install prometheus-alertmanager"
    return require("alertmanager", find_program("amtool"), remedy)


class HttpServer(Server):
    """A server with an HTTP API; configuration is written into its folder by whoever makes it."""

    ready_path = "/-/ready"

    def is_ready(self) -> bool:
        """Whether it says so."""
        try:
            with urllib.request.urlopen(f"{self.url}{self.ready_path}", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **parameters: str) -> Any:
        """The decoded answer."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        with urllib.request.urlopen(f"{self.url}{path}{query}", timeout=10) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any) -> None:
        """Send JSON."""
        request = urllib.request.Request(
            f"{self.url}{path}", data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10):
            pass


class PrometheusServer(HttpServer):
    """prometheus with ``prometheus.yml`` of its folder."""

    def command(self) -> list[str]:
        """Nothing outlives the test."""
        return [
            self.program, f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn",
        ]  # fmt: skip

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of now; an expression that is wrong fails."""
        try:
            return list(self.get("/api/v1/query", query=expression)["data"]["result"])
        except urllib.error.HTTPError as error:
            pytest.fail(f"{expression}: {error.read().decode()}")


class AlertmanagerServer(HttpServer):
    """Alertmanager with ``alertmanager.yml`` of its folder."""

    def command(self) -> list[str]:
        """Alone, without a cluster."""
        return [
            self.program, f"--config.file={self.folder}/alertmanager.yml", f"--storage.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=", "--log.level=warn",
        ]  # fmt: skip
