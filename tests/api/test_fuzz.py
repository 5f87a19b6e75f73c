"""Whatever a client sends, the API answers, as its schema says, and never with a fault of its own."""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, seed, settings
from rest_framework.authtoken.models import Token
from schemathesis.specs.openapi.checks import positive_data_acceptance

from memwatch.api.access import AccountThrottle, ActionThrottle, AddressThrottle
from memwatch.api.schema import Generator
from memwatch.services import commands
from project.wsgi import application
from tests.api.conftest import Fleet

LONG = bool(os.environ.get("MEMWATCH_SOAK"))
EXAMPLES = 300 if LONG else 5
"""Of each operation."""

pytestmark = pytest.mark.django_db

_raw = Generator(urlconf="memwatch.urls").get_schema(request=None, public=True)
OPERATIONS = [
    (method, path)
    for path, operations in _raw["paths"].items()
    for method in operations
    if method in {"get", "post", "put", "patch", "delete"}
]


@pytest.fixture
def api(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The schema; nobody is throttled and no process waits to be asked."""
    for throttle in (ActionThrottle, AddressThrottle, AccountThrottle):
        monkeypatch.setattr(throttle, "rate", "1000000/min")
    monkeypatch.setattr(commands, "MOST_PER_MINUTE", 10**9)
    return schemathesis.openapi.from_wsgi("/api/schema/?format=json", application)


def cases(api: Any, method: str, path: str, check: Any) -> None:
    """Call ``check`` with many cases of one operation."""

    @seed(1)
    @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
    @given(case=api[path][method.upper()].as_strategy())
    def each(case: Any) -> None:
        check(case)

    each()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_operator_is_answered_as_the_schema_says(api: Any, method: str, path: str) -> None:
    token = Token.objects.create(user=User.objects.create(username="fuzz", is_superuser=True))
    headers = {"Authorization": f"Token {token.key}"}
    # What a filter or an action means, a schema cannot say: 400 is an answer to what has the right shape.
    cases(
        api,
        method,
        path,
        lambda case: case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance]),
    )


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_random_requests_without_a_user_are_refused_and_break_nothing(api: Any, method: str, path: str) -> None:
    def check(case: Any) -> None:
        status = case.call().status_code
        assert status < 500
        assert status in {401, 404, 405} or path.endswith("/token/")

    cases(api, method, path, check)
