"""The Django application."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class MemwatchConfig(AppConfig):
    name = "memwatch"
    verbose_name = _("Memory")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from memwatch import checks, hooks, permissions  # noqa: F401, PLC0415 - they need the registry to be ready

        post_migrate.connect(permissions.create_groups, sender=self, dispatch_uid="memwatch.permissions")
        hooks.install()
