"""A site whose view and task keep memory at every call: settings, routes, WSGI and Celery in one module."""

import os
import time
from pathlib import Path

from celery import Celery
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

FOLDER = Path(os.environ["LEAKY_FOLDER"])
QUEUE = os.environ.get("LEAKY_QUEUE", "celery")
KEPT: list[bytearray] = []
CALLS_KIB = int(os.environ.get("LEAKY_KIB", "150"))

if not settings.configured:
    settings.configure(
        SECRET_KEY="leaky-leaky-leaky-leaky-leaky-leaky-leaky-leaky",
        ALLOWED_HOSTS=["127.0.0.1"],
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "memwatch"],
        ROOT_URLCONF="leaky",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": FOLDER / "leaky.sqlite3",
                "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
            }
        },
        MEMWATCH={
            "TRANSPORT": f"local://{FOLDER}/transport",
            "COMMAND_KEY": "leaky-key",
            "SNAPSHOT_INTERVAL": float(os.environ.get("LEAKY_INTERVAL", "1")),
            "RECORDINGS_FOLDER": str(FOLDER / "recordings"),
            "RECORDINGS_PER_SERVICE_HOUR": 10_000,
        },
        CELERY_BROKER_URL=os.environ.get("LEAKY_BROKER", "memory://"),
        CELERY_TASK_IGNORE_RESULT=True,
        CELERY_TASK_DEFAULT_QUEUE=QUEUE,
        CELERY_TASK_ACKS_LATE=os.environ.get("LEAKY_ACKS_LATE") == "1",
        CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP=True,
    )


def leak() -> None:
    """Keep some memory that is written to: it is private."""
    KEPT.append(bytearray(os.urandom(64)) * (CALLS_KIB * 16))


def page(request: HttpRequest) -> HttpResponse:
    """A view of 10 ms that leaks."""
    time.sleep(0.01)
    leak()
    return HttpResponse(str(os.getpid()))


urlpatterns = [path("page", page)]
application = get_wsgi_application()

app = Celery("leaky")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task(name="leaky.job")
def job(number: int, sent: float) -> None:
    """A task of 50 ms that leaks, and writes down that it ran, where, and how long it had waited."""
    waited = time.time() - sent
    time.sleep(0.05)
    leak()
    with (FOLDER / f"jobs-{QUEUE}").open("a") as jobs:
        jobs.write(f"{number} {os.getpid()} {waited:.4f} {time.time():.1f}\n")
