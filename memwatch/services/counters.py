"""Adding to the totals that must not fall."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import F

from memwatch.models import Counter
from memwatch.queries.deployment.counters import label_text


def add(name: str, n: int, **labels: str) -> None:
    """Add ``n`` to the total ``name`` with these labels. Nothing happens for 0."""
    add_many({(name, label_text(**labels)): n})


def add_many(increments: Mapping[tuple[str, str], int]) -> None:
    """Add to several totals, by ``(name, label text)``, always in the same order: two writers then cannot deadlock."""
    for (name, labels), n in sorted(increments.items()):
        if n and not _added(name, labels, n):
            Counter.objects.bulk_create([Counter(name=name, labels=labels)], ignore_conflicts=True)
            _added(name, labels, n)


def _added(name: str, labels: str, n: int) -> bool:
    return bool(Counter.objects.filter(name=name, labels=labels).update(value=F("value") + n))
