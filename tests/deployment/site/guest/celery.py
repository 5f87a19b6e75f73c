"""For Celery."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "guest.settings")
app = Celery("guest")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task(name="guest.work")
def work() -> None:
    """Nothing, but counted."""
