"""A long job under DEBUG: Django keeps its last 9,000 queries."""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.django_site import configure

CASE = Case(half="tuning", what="connection.queries of a job, which end at 9,000")
_cursor: Any = None


def setup() -> None:
    global _cursor
    configure(DEBUG=True)
    from django.db import connection

    _cursor = connection.cursor()


def step(i: int) -> None:
    if i % 3 == 0:
        _cursor.execute("SELECT %s", [i]).fetchone()
