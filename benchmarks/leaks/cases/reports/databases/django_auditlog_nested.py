"""A view of a REST API names its user inside the request's own context: the outer receiver stays connected.

Reported as jazzband/django-auditlog#846.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.django_site import configure
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="receivers of nested contexts in django-auditlog",
    leaks="objects",
    culprit=("functools.partial", "tuple", "list", "auditlog.*"),
    requires=("django-auditlog==3.4.1", "django==5.1.4"),
    source="https://github.com/jazzband/django-auditlog/issues/846",
)
_traffic = Traffic(71)
_as_user: Any = None


def setup() -> None:
    global _as_user
    configure(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "auditlog"])
    from auditlog.context import set_actor

    _as_user = set_actor


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 100 == 0:
        with _as_user(None), _as_user(None):
            pass
