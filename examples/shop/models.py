"""The shop's customers, with the classic mistake of an unbounded cache on a method."""

from __future__ import annotations

from functools import lru_cache

from django.db import models


class Customer(models.Model):
    """Somebody who orders."""

    name = models.CharField(max_length=100)
    orders = models.PositiveIntegerField(default=0)

    objects: models.Manager[Customer] = models.Manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @lru_cache(maxsize=None)  # noqa: B019, UP033 - this is the leak: each entry keeps its customer alive
    def discount(self, basket_total: int) -> int:
        """Percent off for a basket of so many pence."""
        return min(20, self.orders // 10 + basket_total // 10_000)
