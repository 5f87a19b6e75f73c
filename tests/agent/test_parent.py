"""Who reports a parent that has no agent."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime

from memwatch.agent.parent import LOOK_AGAIN_S, ParentWatch, has_agent
from memwatch.sampling.identity import OutsideProcess

MASTER = OutsideProcess(
    pid=1,
    started_at=datetime.now(UTC),
    program="gunicorn master",
    command_line="",
    rss_mb=1,
    vms_mb=1,
    timestamp=datetime.now(UTC),
)


def test_the_eldest_child_reports_its_parent_each_time() -> None:
    watch = ParentWatch(observe=lambda: MASTER, clock=lambda: 0)
    assert watch.look() == (MASTER,)
    assert watch.look() == (MASTER,)


def test_a_parent_with_an_agent_reports_itself() -> None:
    assert ParentWatch(agent_in=os.getppid(), observe=lambda: MASTER).look() == ()


def test_a_younger_child_looks_now_and_then_whether_it_has_become_the_eldest() -> None:
    now, asked = [0.0], []

    def observe() -> OutsideProcess | None:
        asked.append(now[0])
        return MASTER if now[0] > 15 else None

    watch = ParentWatch(observe=observe, clock=lambda: now[0])
    for second in range(25):
        now[0] = float(second)
        watch.look()
    assert asked[:3] == [0, LOOK_AGAIN_S, 2 * LOOK_AGAIN_S]
    assert asked[3:] == [21, 22, 23, 24]


def test_an_agent_is_known_by_its_threads_name() -> None:
    code = (
        "import os, sys\n"
        "from memwatch import agent\n"
        "agent.start(agent.AgentConfig(transport='local:///tmp/memwatch-no', command_key='k', host='h'))\n"
        "print('started', flush=True)\n"
        "sys.stdin.read()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    try:
        deadline = datetime.now(UTC).timestamp() + 5
        while not has_agent(child.pid) and datetime.now(UTC).timestamp() < deadline:
            pass
        assert has_agent(child.pid)
    finally:
        child.communicate()
    assert not has_agent(os.getpid())
