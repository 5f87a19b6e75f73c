"""The runnable deployment: a Django site whose only application is memwatch."""

from project.celery import app as celery_app

__all__ = ["celery_app"]
