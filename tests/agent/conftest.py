"""A running agent of the test's own process, with the server's end of its transport."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from memwatch.agent import Agent, AgentConfig
from memwatch.transport import Hub, open_hub
from memwatch.transport.wire import Command, Report
from tests.waiting import until

KEY = "tests-key"


class Watched:
    """An agent in this process."""

    def __init__(self, url: str, **config: Any) -> None:
        settings = {"snapshot_interval": 0.2, "host": "here", **config}
        self.url = url
        self.agent = Agent(
            AgentConfig(transport=url, command_key=KEY, service="tests", **settings),
            start_delay_s=0,
        )
        self.hub: Hub = open_hub(url)
        self.reports: list[Report] = []

    def collect(self) -> list[Report]:
        deliveries = self.hub.read(limit=1000)
        self.hub.acknowledge(deliveries)
        self.reports += [Report.decode(delivery.payload) for delivery in deliveries]
        return self.reports

    def wait(self, condition: Callable[[list[Report]], bool], *, within_s: float = 30.0) -> list[Report]:
        until(lambda: condition(self.collect()), within_s=within_s, seen=lambda: self.reports)
        return self.reports

    def ask(self, payload: Command | bytes, *, timeout_s: float = 30.0) -> Report | None:
        """The agent's answer to a command, signed if it is not bytes already."""
        key = self.agent.process.key
        sent = payload.encode(KEY) if isinstance(payload, Command) else payload
        answers = self.hub.request({key: sent}, timeout_s=timeout_s)
        return Report.decode(answers[key]) if answers else None

    def listens(self) -> Watched:
        """Itself, once it answers."""
        self.wait(lambda _: self.ask(self.command("ping"), timeout_s=1.0) is not None)
        return self

    def command(self, name: str) -> Command:
        return Command.make(name, self.agent.process.key)

    def sequence(self) -> list[int]:
        return sorted(seq for report in self.collect() for seq, _ in report.snapshots)


@pytest.fixture
def make_watched(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    made: list[Watched] = []

    def make(url: str = f"local://{tmp_path}/transport", **config: Any) -> Watched:
        made.append(Watched(url, **config))
        made[-1].agent.thread.start()
        return made[-1]

    yield make
    for watched in made:
        watched.agent.thread.stop(5)
        watched.hub.close()


@pytest.fixture
def run_script(tmp_path: Path) -> Callable[..., str]:
    """Run Python in a process of its own; what it printed. ``URL`` is a local transport's."""

    def run(code: str, *, timeout_s: float = 60.0) -> str:
        head = f"URL = 'local://{tmp_path}/transport'\nKEY = {KEY!r}\n"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", head + textwrap.dedent(code)],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    return run
