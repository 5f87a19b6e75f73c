"""What parents and children know of an end goes into the flight record, and nothing reaches the host."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from billiard import popen_fork

from memwatch import agent, conf, gunicorn
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


def failing(code: int | None, error: BaseException | None) -> None:
    """As Celery's main process sends its signal: while it handles what ends it."""
    try:
        if error is not None:
            raise error
    except BaseException:  # noqa: BLE001 - also an exit
        ends.worker_ends(sender=SimpleNamespace(exitcode=code))
        return
    ends.worker_ends(sender=SimpleNamespace(exitcode=code))


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (1, MemoryError(), "crash"),
        (1, None, ""),
        (1, SystemExit(1), ""),
        (0, ValueError(), ""),
        (None, KeyError(), ""),
    ],
    ids=["an error", "a cold shutdown", "an exit", "an error that was handled", "no exit code"],
)
def test_celerys_main_process_says_that_an_error_ends_it(code: int | None, error: Any, said: str) -> None:
    failing(code, error)
    assert ending.known() == said


UVICORN = """
import asyncio, os, signal, sys
import uvicorn.server
from memwatch import agent
from memwatch.agent.flight import ending
from memwatch.host_hooks import ends

{handler}
ends.install()
ends.install()
agent.stop = lambda timeout_s: print("goodbye", ending.known(), flush=True)

async def app(scope, receive, send):
    pass

class Server(uvicorn.server.Server):
    async def _serve(self, sockets=None):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0)
        print("served", flush=True)

Server(uvicorn.Config(app)).run()
print("lives on", flush=True)
"""


@pytest.mark.parametrize(
    ("handler", "printed", "status"),
    [
        ("", ["served", "goodbye stopped"], -15),
        ("signal.signal(signal.SIGTERM, lambda *_: None)", ["served", "lives on"], 0),
    ],
    ids=["the signal ends it", "a host that handles it"],
)
def test_uvicorn_says_goodbye_before_it_sends_itself_the_signal(handler: str, printed: list[str], status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", UVICORN.format(handler=handler)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.splitlines(), done.returncode) == (printed, status), done.stderr


def test_gunicorns_hook_finds_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEMWATCH_TRANSPORT", "local:")
    monkeypatch.setattr(conf, "default_folder", lambda: tmp_path / "default")
    get_settings.cache_clear()
    record = write(tmp_path / "default", data(who=WHO), pid=PID)
    gunicorn._note(PID, -9)
    assert noted(record) == -9
    get_settings.cache_clear()
