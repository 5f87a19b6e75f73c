"""After how long a task's process is killed."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest
from billiard import Process

from memwatch.host_hooks import task_limits

IS_POOL_CHILD = task_limits.is_pool_child


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_limits, "_of_worker", {})
    monkeypatch.setattr(task_limits, "own_arguments", lambda: ["celery", "worker"])
    monkeypatch.setattr(task_limits, "is_pool_child", lambda: True)


def limit(*, message: Any = None, task: Any = None, conf: Any = None) -> float:
    app = SimpleNamespace(conf=SimpleNamespace(task_time_limit=conf))
    return task_limits.hard_limit_s(SimpleNamespace(time_limit=task, app=app), SimpleNamespace(timelimit=message))


def test_the_message_counts_before_the_task_and_the_task_before_the_worker() -> None:
    assert limit(message=[5, 3], task=60, conf=300) == 5
    assert limit(message=[None, 3], task=60, conf=300) == 60
    assert limit(message=None, conf=300.5) == 300.5
    assert limit() == 0


@pytest.mark.parametrize("arguments", [["--time-limit", "40"], ["--time-limit=40"]])
def test_the_workers_command_line_counts_before_its_settings(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_limits, "own_arguments", lambda: ["celery", "worker", *arguments])
    assert limit(conf=300) == 40


@pytest.mark.parametrize("odd", ["soon", -1, float("nan"), float("inf"), object(), True, [], 10**400])
def test_nonsense_is_no_limit(odd: Any) -> None:
    assert limit(message=odd, task=odd, conf=odd) == 0
    assert limit(message=[odd], task=odd, conf=odd) == 0


def test_what_raises_is_no_limit() -> None:
    class Odd:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    assert task_limits.hard_limit_s(Odd(), Odd()) == 0
    assert task_limits.hard_limit_s(None, None) == 0


def test_where_celery_kills_no_process_there_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """With threads, greenlets and one task at a time Celery knows the limits, and does not keep them by a kill."""
    monkeypatch.setattr(task_limits, "is_pool_child", IS_POOL_CHILD)
    assert limit(message=[5, 3], task=60, conf=300) == 0
    child = Process(target=lambda: os._exit(int(limit(message=[5, 3]))))
    child.start()
    child.join()
    assert child.exitcode == 5
