"""The application."""

from django.apps import AppConfig


class SiteAuditConfig(AppConfig):
    """Its receivers are connected when the site starts."""

    name = "siteaudit"

    def ready(self) -> None:
        from siteaudit import receivers  # noqa: F401
