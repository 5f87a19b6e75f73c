"""``lru_cache`` on a method of a model: it keeps every instance."""

from functools import cache

from benchmarks.leaks.case import Case
from benchmarks.leaks.django_site import configure

CASE = Case(
    half="tuning",
    what="lru_cache(maxsize=None) on a model's method",
    leaks="objects",
    culprit=("*.Customer",),
)


def setup() -> None:
    configure()
    from django.db import models

    class Customer(models.Model):
        name = models.CharField(max_length=50)

        class Meta:
            app_label = "shop"

        @cache  # noqa: B019 - that is the leak
        def greeting(self) -> str:
            return f"Dear {self.name}"

    globals()["Customer"] = Customer


def step(i: int) -> None:
    if i % 20 == 0:
        globals()["Customer"](pk=i, name=f"customer {i}").greeting()
