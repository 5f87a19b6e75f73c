"""A task for each name of the program."""

import os
import time
from typing import Any

import django
from celery import Celery
from celery.signals import task_prerun

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "worksite.settings")
app = Celery("worksite")
app.config_from_object("django.conf:settings", namespace="CELERY")
django.setup()

from worksite.hog import take  # noqa: E402
from worksite.jobs import job  # noqa: E402
from worksite.program import PROGRAM  # noqa: E402
from worksite.retained import handle  # noqa: E402

WAIT_S = 0.004
if PROGRAM["handler"]:
    task_prerun.connect(handle)


def _task(name: str) -> None:
    run, slow_s = job(name), PROGRAM["slow"].get(name, 0.0)

    @app.task(name=name, bind=True)
    def task(self: Any) -> None:
        time.sleep((PROGRAM["server"] != "prefork") * WAIT_S + slow_s)  # others run meanwhile
        run(self.request)


for _name in PROGRAM["names"]:
    _task(_name)


@app.task(name="worksite.hog")
def hog() -> int:
    """Takes much memory for a moment."""
    found: int = take()
    return found


@app.task(name="worksite.ready")
def ready() -> None:
    """Nothing."""
