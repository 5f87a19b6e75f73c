"""No leak: a view connects a receiver of its own that holds the request; Django refers to it weakly.

Reported as e-valuation/EvaP#1361.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.django_site import configure
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="receivers connected in a view, referred to weakly",
    requires=("django==5.1.4",),
    source="https://github.com/e-valuation/EvaP/issues/1361",
)
_traffic = Traffic(72)
_paid: Any = None
_request: Any = None


def setup() -> None:
    global _paid, _request
    configure()
    from django.dispatch import Signal
    from django.test import RequestFactory

    _paid, _request = Signal(), RequestFactory()


def _view(request: Any) -> list[str]:
    told = []

    def _tell(sender: Any, **_more: Any) -> None:
        told.append(f"{sender} on {request.path}")

    _paid.connect(_tell)
    _paid.send("order")
    return told


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 50 == 0:
        assert _view(_request.get(f"/order/{i}"))
