"""The tasks: ``reports.export`` does what the program wants, ``reports.home`` is the ordinary load."""

import os
from typing import Any

import django
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deathsite.settings")
app = Celery("deathsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
django.setup()

from deathsite.deeds import do  # noqa: E402


@app.task(name="reports.home")
def home() -> int:
    """A task of every day."""
    return len(", ".join(str(number) for number in range(2_000)))


@app.task(name="reports.export")
def export(deed: str, amount: float) -> Any:
    """The deed."""
    try:
        do("export", deed, amount)
    except SoftTimeLimitExceeded:
        return "it was asked to hurry"
    return "done"


@app.task(name="reports.limited", time_limit=6)
def limited(deed: str, amount: float) -> str:
    """The deed, with a time limit of its own."""
    do("limited", deed, amount)
    return "done"
