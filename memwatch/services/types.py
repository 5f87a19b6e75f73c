"""Interning of type names: a snapshot keeps counts by the small number of the type."""

from __future__ import annotations

from collections.abc import Iterable

from memwatch.models import ObjectType
from memwatch.queries.object_types import ids_of


def intern(names: Iterable[str]) -> dict[str, int]:
    """The id of each name, drawing those that are new. Call it outside a transaction, so that what it learns lasts."""
    wanted = set(names)
    found = ids_of(wanted)
    new = sorted(wanted - found.keys())
    if new:
        ObjectType.objects.bulk_create([ObjectType(name=name) for name in new], ignore_conflicts=True, batch_size=500)
        found.update(ids_of(new))
    return found
