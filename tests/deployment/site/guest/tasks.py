"""Tasks for a worker of ``django.tasks``."""

import os
import time
from pathlib import Path

try:
    from django.tasks import task
except ImportError:  # before Django 6.0
    from django_tasks import task


@task()
def note(number: int, seconds: float = 0.02) -> None:
    """Take a while, and write down which run this was, and where."""
    folder = Path(os.environ["GUEST_FOLDER"])
    (folder / "began").write_text(str(number))
    time.sleep(seconds)
    with (folder / "noted").open("a") as noted:
        noted.write(f"{number} {os.getpid()}\n")
