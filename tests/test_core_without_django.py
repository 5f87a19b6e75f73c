"""Profiler, sampling, detection and agent work where nothing but psutil is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

REFUSED = """\
import sys

STRANGERS = {"celery", "django", "django_filters", "drf_spectacular", "kombu", "numpy", "prometheus_client", "redis",
             "rest_framework"}


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in STRANGERS:
            raise ModuleNotFoundError(f"No module named {name!r}, for this test", name=name)


sys.meta_path.insert(0, Refuse())
before = set(sys.modules)
"""

IMPORTS = """\
import importlib
import pkgutil

import memwatch

for package in ("records", "profiler", "sampling", "detection", "diagnosis", "transport", "agent", "launch"):
    module = importlib.import_module(f"memwatch.{package}")
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{module.__name__}."):
        if not found.name.startswith(("memwatch.transport.redis", "memwatch.sampling._stopped_walk")):
            importlib.import_module(found.name)
"""

ONLY_PSUTIL = """\
import memwatch.profiler

places = {name: getattr(sys.modules[name], "__file__", None) or "" for name in set(sys.modules) - before}
installed = {name.partition(".")[0] for name, place in places.items() if "site-packages" in place}
assert installed - {"memwatch"} == set(), installed  # psutil is loaded where /proc does not say the same
"""

PROFILER = """\
import asyncio

from memwatch.profiler import MemoryProfiler


class Quote:
    pass


kept = []


async def main():
    profiler = MemoryProfiler(snapshot_interval=60.0)
    for _ in range(10):
        kept.extend(Quote() for _ in range(500))
        await profiler.take_snapshot()
    (leak,) = await profiler.detect_leaks(profiler.get_snapshots())
    assert leak.object_type == "__main__.Quote", leak
    assert (await profiler.compare_to_baseline()).object_drift > 4000


asyncio.run(main())
"""

AGENT = """\
import sys
import time

from memwatch import agent
from memwatch.agent.config import AgentConfig
from memwatch.transport import open_hub
from memwatch.transport.wire import Command, Report

url, hub = sys.argv[1], open_hub(sys.argv[1])
agent.start(AgentConfig(transport=url, command_key="key", host="here", service="alone", snapshot_interval=0.2))
reports, until = [], time.monotonic() + 20
while not any(report.snapshots for report in reports) and time.monotonic() < until:
    deliveries = hub.read(limit=10)
    reports += [Report.decode(delivery.payload) for delivery in deliveries]
    hub.acknowledge(deliveries)
    time.sleep(0.05)
key = agent.current().process.key
assert reports and all(report.process.key == key for report in reports)
answers = hub.request({key: Command.make("ping", key).encode("key")}, timeout_s=10)
assert [answer.state for answer in Report.decode(answers[key]).answers] == ["done"]
agent.stop()
assert Report.decode(hub.read(limit=100)[-1].payload).goodbye
"""

REDIS = """\
from memwatch.transport import TransportUnavailable, open_uplink

try:
    open_uplink("redis://localhost:6379/0", "key")
except TransportUnavailable as error:
    assert "pip install" in str(error), error
else:
    raise AssertionError("redis was found")
"""


@pytest.mark.parametrize("program", [IMPORTS, ONLY_PSUTIL, PROFILER, AGENT, REDIS], ids=[
    "every module is imported", "psutil is the one dependency", "the profiler finds a leak",
    "an agent reports and answers", "the redis transport says what it lacks",
])  # fmt: skip
def test_the_core_works_alone(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", REFUSED + program, f"local://{tmp_path}/transport"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
