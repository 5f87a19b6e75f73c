"""What jobs of APScheduler are counted as."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from memwatch.host_hooks import apscheduler

background = pytest.importorskip("apscheduler.schedulers.background")


def remind(*_given: Any) -> None:
    """A function with an address."""


def nested() -> Callable[[], None]:
    """One without."""
    return lambda: None


class Reminder:
    """It has no name of its own."""

    def __call__(self) -> None:
        """Remind."""


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (remind, "remind"),
        (nested(), "nested.<locals>.<lambda>"),
        (functools.partial(remind, 17), "remind"),
        (Reminder(), "Reminder"),
    ],
)
def test_a_job_has_the_name_of_its_function(function: Any, name: str) -> None:
    """What the program calls the job may be another text each time."""
    job = background.BackgroundScheduler().add_job(function, name="reminder 17 of Jane")
    assert apscheduler._name(job) == f"{__name__}:{name}"
