"""Of memwatch's own processes no values are shown, whatever the settings say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from memwatch.conf import Settings

ASK = """
import os, types
import django
from celery import Celery
django.setup()
from celery.signals import celeryd_after_setup
import memwatch.tasks
from memwatch.agent import own
app = Celery()
app.conf.task_create_missing_queues = True
app.amqp.queues.select({queues!r})
celeryd_after_setup.send(sender="w", instance=types.SimpleNamespace(app=app), conf=app.conf)
pid = os.fork()
if pid == 0:
    os._exit(int(own.is_own()))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.parametrize(("queues", "own"), [(["celery", "memwatch"], "1"), (["celery"], "0")])
def test_a_worker_of_memwatchs_queue_is_one_and_so_are_its_children(queues: list[str], own: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", ASK.format(queues=queues)], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.strip() == own


def test_who_may_command_agents_shows_no_values() -> None:
    assert Settings(record_values=True).agent_config().record_values
    assert Settings(record_values=True, hub_transport="worker").agent_config().record_values
    assert not Settings(record_values=True, hub_transport="redis://hub@redis/0").agent_config().record_values
    assert not Settings().agent_config().record_values
