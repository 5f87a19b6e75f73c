"""The overview page of the admin: a proxy, for a URL, an entry in the index and permissions without a table."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from memwatch.models.fleet import Service


class Overview(Service):
    """The services as the overview lists them. Who may view services may view it."""

    class Meta:
        proxy = True
        default_permissions = ()
        permissions = ()
        verbose_name = _("overview")
        # The admin's index goes by the alphabet; a leading space, which HTML does not show, makes it the first entry.
        verbose_name_plural = _(" Overview")
