"""What parents and children know of an end goes into the flight record, and nothing reaches the host."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from billiard import popen_fork

from memwatch import agent, gunicorn
from memwatch.agent.config import AgentConfig
from memwatch.agent.flight import ending
from memwatch.conf import get_settings
from memwatch.host_hooks import ends
from memwatch.transport.flights import layout
from tests.transport.flights.files import WHO, data, write

PID = 4711


@pytest.fixture(autouse=True)
def _nothing_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "_noted", "")


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of the child, of a process with an agent."""
    url = f"local://{tmp_path}/mw"
    config = AgentConfig(transport=url, command_key="k", host="h")
    monkeypatch.setattr(agent, "current", lambda: SimpleNamespace(config=config), raising=False)
    monkeypatch.setenv("MEMWATCH_TRANSPORT", url)
    get_settings.cache_clear()
    yield write(tmp_path / "mw", data(who=WHO), pid=PID)
    get_settings.cache_clear()


def noted(record: Path) -> int | None:
    return layout.read(record.read_bytes()).status


@pytest.mark.parametrize(("exitcode", "said"), [(0, "stopped"), (0x9B, "recycled"), (1, ""), (None, ""), ("0", "")])
def test_a_pool_child_says_why_it_leaves(exitcode: Any, said: str) -> None:
    ends.pool_child_ends(exitcode)
    assert ending.known() == said


@pytest.fixture
def hooked_popen(monkeypatch: pytest.MonkeyPatch) -> type:
    monkeypatch.setattr(popen_fork.Popen, "poll", popen_fork.Popen.poll)
    ends.install()
    ends.install()
    return popen_fork.Popen


def child_of(popen: type, pid: int) -> Any:
    child = popen.__new__(popen)
    child.returncode, child.pid = None, pid
    return child


def test_billiards_parent_notes_how_its_child_ended(
    hooked_popen: type, tmp_path: Path, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), 9)
    own = write(tmp_path / "mw", data(who={**WHO, "pid": pid}), pid=pid)
    child = child_of(hooked_popen, pid)
    assert child.poll(0) == -9
    assert noted(own) == -9
    own.unlink()
    assert child.poll() == -9, "noted once"
    assert noted(record) is None


def test_billiard_feels_no_trouble_of_ours(hooked_popen: type, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        return SimpleNamespace(config=AgentConfig(transport="local:///proc/none", command_key="k", host="h"))

    monkeypatch.setattr(agent, "current", broken, raising=False)
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    assert child_of(hooked_popen, pid).poll(0) == 7
    assert child_of(hooked_popen, 2**22 + 1).poll() is None


def reap_workers(status: Any, worker: Any) -> None:
    """As gunicorn's: the status is a local variable of the function that calls the hook."""
    gunicorn.child_exit(None, worker)


def test_gunicorns_main_process_notes_how_its_worker_ended(record: Path) -> None:
    reap_workers(9, SimpleNamespace(pid=PID))
    assert noted(record) == -9
    reap_workers(3 << 8, SimpleNamespace(pid=PID))
    assert noted(record) == 3


@pytest.mark.parametrize("status", [None, "9", object(), -1])
def test_gunicorn_feels_no_trouble_of_ours(record: Path, status: Any) -> None:
    reap_workers(status, SimpleNamespace(pid=PID))
    reap_workers(9, SimpleNamespace())
    gunicorn.child_exit(None, SimpleNamespace(pid=PID))
    assert noted(record) is None


def test_gunicorns_abort_is_a_time_limit() -> None:
    gunicorn.worker_abort(None)
    assert ending.known() == "time_limit"


def test_without_gunicorn_and_billiard_nothing_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "billiard.popen_fork", raising=False)
    ends.install()
    assert "billiard.popen_fork" not in sys.modules
    assert ending.known() == ""
