"""The Django application."""

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class MemwatchConfig(AppConfig):
    name = "memwatch"
    verbose_name = _("Memory")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from memwatch import autostart, checks, permissions  # noqa: F401, PLC0415 - they need the registry to be ready

        post_migrate.connect(permissions.create_groups, sender=self, dispatch_uid="memwatch.permissions")
        autostart.install()
        if apps.is_installed("django.contrib.auth"):
            from django.contrib.auth.signals import user_login_failed  # noqa: PLC0415

            user_login_failed.connect(_sign_in_failed, dispatch_uid="memwatch.audit")


def _sign_in_failed(credentials: dict[str, Any], request: Any = None, **_kwargs: Any) -> None:
    """Keep failed sign-ins to the admin and to the API's tokens; those of the site's own pages are its own affair."""
    match = getattr(request, "resolver_match", None)
    if match is None or not {("admin", "login"), ("memwatch-api", "token")} & {
        (app, match.url_name) for app in match.app_names
    }:
        return
    from memwatch.services import audit  # noqa: PLC0415

    name = next((str(value) for key, value in credentials.items() if key not in ("password", "token")), "")
    audit.sign_in_failed(name, request.path, request.META.get("REMOTE_ADDR", ""))
