"""Pages of the admin that list rows of other tables in their own way. None of them has a table."""

from django.utils.translation import gettext_lazy as _

from memwatch.models.findings import Leak
from memwatch.models.fleet import Process, Service
from memwatch.models.operations import Lease


class Overview(Service):
    """The services as the overview lists them. Who may view services may view it."""

    class Meta:
        proxy = True
        default_permissions = ()
        permissions = ()
        verbose_name = _("overview")
        # The admin's index goes by the alphabet; a leading space, which HTML does not show, makes it the first entry.
        verbose_name_plural = _(" Overview")


class Recommendation(Service):
    """The services as the page of settings that fit lists them. Who may view services may view it."""

    class Meta:
        proxy = True
        default_permissions = ()
        permissions = ()
        ordering = ("name",)
        verbose_name = _("settings that fit")
        verbose_name_plural = _("settings that fit")


class Death(Process):
    """Processes that have ended, as the page of deaths lists them. Who may view processes may view it."""

    class Meta:
        proxy = True
        default_permissions = ()
        permissions = ()
        ordering = ("-ended_at", "-pk")
        verbose_name = _("death")
        verbose_name_plural = _("deaths")


class TrackRecord(Leak):
    """The page of what became of the leaks that were found. It has no rows of its own."""

    class Meta:
        proxy = True
        default_permissions = ()
        permissions = ()
        verbose_name = _("how good were we")
        verbose_name_plural = _("how good were we")


class Operations(Lease):
    """The page of settings and operations in the admin's index. Users who may view anything on it may open it."""

    class Meta:
        proxy = True
        default_permissions = ()
        permissions = ()
        verbose_name = _("settings & operations")
        verbose_name_plural = _("settings & operations")
