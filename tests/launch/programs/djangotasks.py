"""A Django site with the package django-tasks, which has not installed memwatch."""

from __future__ import annotations

import time

import django
from django.conf import settings

settings.configure(SECRET_KEY="of-the-test", INSTALLED_APPS=["django_tasks"], LOGGING_CONFIG=None)
django.setup()

from django_tasks import task  # noqa: E402 - it reads the settings


@task
def add(one: int, two: int) -> int:
    return one + two


@task
def fail() -> None:
    raise ValueError("of the test")


while True:
    add.enqueue(1, 2)
    fail.enqueue()
    time.sleep(0.2)
