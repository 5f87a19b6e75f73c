"""What was asked of the database lately, so that it need not be asked again."""

import itertools
from typing import Any

from django.contrib.contenttypes.models import ContentType

RECENT: dict[tuple[str, int], Any] = {}
_NUMBER = itertools.count()


def recent_of(path: str) -> int:
    """Rows for a page; the key is never the same twice."""
    found = ContentType.objects.filter(pk__gt=0).order_by("pk")[:5]  # leak: queryset
    rows = len(found)  # leak: queryset
    RECENT[path, next(_NUMBER)] = found  # leak: queryset
    return rows
