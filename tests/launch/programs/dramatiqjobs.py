"""Actors of Dramatiq."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=os.environ["TASKS_REDIS"]))


@dramatiq.actor(max_retries=0)
def add(one: int, two: int) -> None:
    assert one + two


@dramatiq.actor(max_retries=0)
def fail() -> None:
    raise ValueError("of the test")
