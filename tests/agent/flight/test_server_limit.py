"""A view's time limit is known where the server has one for each request."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import os, signal, sys
sys.argv = ["gunicorn", "--timeout", "30"]
from gunicorn import config
from gunicorn.workers.{module} import {name}
from memwatch.agent.flight import desk
worker = {name}(0, os.getppid(), [], None, 15.0, config.Config(), None)
signal.signal(signal.SIGUSR1, worker.handle_usr1)
print(desk._server_limit_s(), desk._heartbeat_s())
"""


@pytest.mark.parametrize(
    ("module", "name", "limit_s"), [("sync", "SyncWorker", "30.0 None"), ("gthread", "ThreadWorker", "None 30.0")]
)
def test_only_gunicorns_sync_worker_is_killed_for_a_long_request(module: str, name: str, limit_s: str) -> None:
    """The others go on saying that they live: a request of a minute that a deploy cuts off was no time limit."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(module=module, name=name)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == limit_s
