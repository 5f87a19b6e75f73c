"""A task for each name of the program."""

import os
import time
from typing import Any

import django
from celery import Celery
from celery.signals import task_postrun, task_prerun

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "worksite.settings")
app = Celery("worksite")
app.config_from_object("django.conf:settings", namespace="CELERY")
django.setup()

from worksite.everyjob import OUTCOMES, Outcome, remember  # noqa: E402
from worksite.hog import take  # noqa: E402
from worksite.jobs import job  # noqa: E402
from worksite.program import PROGRAM  # noqa: E402
from worksite.retained import handle  # noqa: E402

WAIT_S = 0.004
EVERY_JOB = PROGRAM["every_job"]


class Remembering(app.Task):  # type: ignore[name-defined]
    """It keeps what has come of each task."""

    abstract = True

    def after_return(
        self, _status: str, _value: object, task_id: str, _args: object, _kwargs: object, _info: object
    ) -> None:
        """Called by the worker."""
        OUTCOMES.append(Outcome(task_id))


BASE = Remembering if EVERY_JOB == "base" else app.Task
if EVERY_JOB == "handler":
    task_prerun.connect(handle)
elif EVERY_JOB == "postrun":
    task_postrun.connect(remember)


def _task(name: str) -> None:
    run, slow_s, inner = job(name), PROGRAM["slow"].get(name, 0.0), PROGRAM["nested"].get(name)

    @app.task(name=name, bind=True, base=BASE)
    def task(self: Any) -> None:
        time.sleep((PROGRAM["server"] != "prefork") * WAIT_S + slow_s)  # others run meanwhile
        if inner:
            app.tasks[inner].apply()
        run(self.request)


for _name in PROGRAM["names"]:
    _task(_name)


@app.task(name="worksite.hog")
def hog() -> int:
    """Takes much memory for a moment."""
    found: int = take()
    return found


@app.task(name="worksite.later")
def later() -> None:
    """Nothing, and not before the run has ended."""


@app.task(name="worksite.ready")
def ready() -> None:
    """Nothing."""
