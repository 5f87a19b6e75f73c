"""A site with an API of its own."""

from tests.foreign.depot.celery import app as celery_app

__all__ = ["celery_app"]
