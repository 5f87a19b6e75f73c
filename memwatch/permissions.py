"""The two groups that come with the migrations: those who look, and those who act."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.db import router

VIEWERS = "memwatch viewers"
OPERATORS = "memwatch operators"

ACTIONS = (
    *("reset_baseline", "take_snapshot", "act_on_leak", "record_process", "trim_memory", "dump_heap", "send_again"),
    "dismiss_anomaly",
)
"""Permissions to act, beside Django's own ``view_``, ``add_`` and ``change_``."""

OPERATORS_EDIT = ("expectedgrowth", "trigger")
"""Models whose rows operators may add, change and remove."""


def create_groups(sender: AppConfig, using: str = "default", verbosity: int = 1, **kwargs: Any) -> None:
    """Create the groups that are missing, on ``post_migrate``. One that exists keeps what the site made of it."""
    if not apps.is_installed("django.contrib.auth"):
        return
    from django.contrib.auth.management import create_permissions  # noqa: PLC0415 - needs auth in INSTALLED_APPS
    from django.contrib.auth.models import Group, Permission  # noqa: PLC0415

    if not router.allow_migrate_model(using, Group):
        return
    create_permissions(sender, verbosity=0, using=using)
    own = Permission.objects.using(using).filter(content_type__app_label=sender.label)
    edited = [f"{verb}_{model}" for verb in ("add", "change", "delete") for model in OPERATORS_EDIT]
    for name, wanted in (
        (VIEWERS, own.filter(codename__startswith="view_")),
        (OPERATORS, own.filter(codename__startswith="view_") | own.filter(codename__in=[*ACTIONS, *edited])),
    ):
        group, created = Group.objects.using(using).get_or_create(name=name)
        if created:
            group.permissions.set(wanted)
            if verbosity >= 2:
                print(f"  Created the group {name}")  # noqa: T201 - as Django's own post_migrate receivers do
