"""A mixin connects its receiver whenever a row is made: each time Django notes a finaliser for the receiver's end.

Reported as romgar/django-dirtyfields#111: the receiver, a function of a module, never ends.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.django_site import configure
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="finalisers of a signal receiver, by model instance",
    leaks="objects",
    culprit=("weakref*", "*finalize*", "*_Info", "ReferenceType", "*KeyedRef"),
    requires=("django==5.1.4",),
    source="https://github.com/romgar/django-dirtyfields/pull/111",
)
_traffic = Traffic(70)
_row: Any = None


def _saved(sender: Any, **_more: Any) -> None:
    """Reset what is dirty."""


def setup() -> None:
    global _row
    configure()
    from django.db import models
    from django.db.models.signals import post_save

    class Row(models.Model):
        name = models.CharField(max_length=50)

        class Meta:
            app_label = "shop"

        def __init__(self, *values: Any, **fields: Any) -> None:
            super().__init__(*values, **fields)
            post_save.connect(_saved, sender=type(self), dispatch_uid="saved")

    _row = Row


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 20 == 0:
        _row(pk=i, name=f"row {i}")
