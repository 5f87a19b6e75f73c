"""Tasks of Celery, without Django."""

from __future__ import annotations

import os

from celery import Celery

app = Celery("celerytasks", broker=os.environ["TASKS_REDIS"])


@app.task
def add(one: int, two: int) -> int:
    return one + two


@app.task
def fail() -> None:
    raise ValueError("of the test")
