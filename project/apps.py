"""The deployment's own application."""

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Loads the Celery application with Django; programs on ``settings_slim`` do without, as the exporter does."""

    name = "project"

    def ready(self) -> None:
        """Tasks are sent by this application's broker."""
        from project import celery  # noqa: F401, PLC0415 - it reads the settings
