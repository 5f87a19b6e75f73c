"""No leak: a monitor of Celery's events that remembers the last 1,000 tasks, as Flower does.

Reported as mher/flower#1305, whose default had risen to 100,000.

Holder: ``_state.tasks`` of Celery, which keeps the latest; its heap of events is rebuilt when it is four times as long.
"""

import random
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="the last tasks of Celery",
    requires=("celery==5.4.0",),
    source="https://github.com/mher/flower/issues/1305",
)
_traffic = Traffic(320)
_random = random.Random(320)
_state: Any = None


def setup() -> None:
    global _state
    from celery.events.state import State

    _state = State(max_workers_in_memory=20, max_tasks_in_memory=1_000)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 15 == 0:
        task = {"uuid": f"{_random.getrandbits(64):x}-{i}", "hostname": f"worker-{i % 4}", "pid": 7}
        for clock, (kind, more) in enumerate(
            [
                ("received", {"name": "shop.send", "args": f"({i},)", "kwargs": "{}", "retries": 0}),
                ("started", {}),
                ("succeeded", {"result": str(i), "runtime": 0.1}),
            ]
        ):
            at = i + clock / 10
            event = {"type": f"task-{kind}", "timestamp": at, "local_received": at, "clock": i * 3 + clock}
            _state.event({**event, **task, **more})
        assert len(_state.tasks) <= 1_000
