"""For Celery."""

import os
import time
from pathlib import Path

from celery import Celery
from celery.signals import worker_process_init

from guest import leak
from project import broker

broker.install()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "guest.settings")
app = Celery("guest")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task(name="guest.work")
def work() -> None:
    """Nothing, but counted."""


@app.task(name="guest.hang")
def hang(seconds: float) -> None:
    """Take so long, and say in a file who runs it."""
    Path(os.environ["GUEST_FOLDER"], "hanging").write_text(str(os.getpid()))
    time.sleep(seconds)


@app.task(name="guest.note")
def note(number: int) -> None:
    """Take a moment, and write down which run this was, and where."""
    time.sleep(0.04)
    with Path(os.environ["GUEST_FOLDER"], "noted").open("a") as noted:
        noted.write(f"{number} {os.getpid()}\n")


@app.task(name="guest.send_notes")
def send_notes(first: int, many: int) -> None:
    """Send many of them."""
    for number in range(first, first + many):
        note.delay(number)


class Kept:
    """What a task leaves behind."""


_kept: list[Kept] = []


@app.task(name="guest.keep")
def keep(objects: int) -> None:
    """Leak so many objects, and go on with the next task."""
    _kept.extend(Kept() for _ in range(objects))
    time.sleep(0.1)
    keep.delay(objects)


worker_process_init.connect(leak.start)
