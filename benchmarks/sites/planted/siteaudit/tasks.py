"""A task that is sent with each request."""

from typing import Any

from celery import shared_task
from django.contrib.contenttypes.models import ContentType

ROWS: list[Any] = []


@shared_task(ignore_result=True)
def collect() -> None:
    """Some rows, for a report that is never written."""
    rows = list(ContentType.objects.order_by("pk")[:5])  # leak: task
    ROWS.extend(rows)  # leak: task
