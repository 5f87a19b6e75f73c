"""The doctor requests memwatch's pages as a browser would, and says what it got."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.foreign.conftest import Site

pytestmark = pytest.mark.deployment

SUPERUSER = """
from django.contrib.auth.models import User
User.objects.create_superuser("root", "root@example.org", "a long password 77")
"""
LOOKED = """
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
print(Session.objects.count(), User.objects.get().last_login)
"""


def test_static_files_that_were_not_collected_are_named_with_the_command(site: Callable[..., Site]) -> None:
    depot = site("depot")
    depot.shell(SUPERUSER)
    said = depot.manage("memwatch_doctor", code=1)
    assert "✗ login page: /admin/login/ answers 500: ValueError: Missing staticfiles manifest entry" in said
    assert "→ Run manage.py collectstatic" in said
    assert "✓ static files are found" not in said
    depot.manage("collectstatic", "--noinput", "-v", "0")
    said = depot.manage("memwatch_doctor", code=1)
    assert "✓ login page: /admin/login/ answers 200" in said
    assert "✓ admin overview: /admin/memwatch/overview/ answers 200" in said
    assert "✓ API: /api/v1/stats/ answers 200" in said
    assert "✓ healthz: /healthz answers 200" in said
    assert "✓ static files are found" in said
    assert depot.shell(LOOKED) == "0 None"


def test_docs_that_another_route_hides_are_told(site: Callable[..., Site]) -> None:
    said = site("depot").manage("memwatch_doctor", code=1)
    assert "✗ API docs: /api/docs/ is answered by another route of the site, depot-docs" in said
    assert "there is no active superuser" in said


def test_a_middleware_that_chooses_other_routes_is_told(site: Callable[..., Site]) -> None:
    said = site("harbour").manage("memwatch_doctor", code=1)
    other = "on harbour.example.org: a middleware gives that host the routes of tests.foreign.harbour.quay"
    assert f"✗ healthz: /ops/healthz answers 404 {other}" in said
    assert "SITE_URL" in said


def test_below_a_prefix_on_the_host_that_has_it_every_page_answers(site: Callable[..., Site]) -> None:
    harbour = site("harbour", SITE_URL="https://office.quay.example.org")
    harbour.shell(SUPERUSER)
    said = harbour.manage("memwatch_doctor", code=1)
    for page in ("healthz: /ops/healthz", "API: /ops/api/v1/stats/", "API schema: /ops/api/schema/"):
        assert f"✓ {page} answers 200" in said
    assert "✗ django.contrib.admin is not installed: memwatch has no pages" in said


def test_an_admin_route_without_the_admin_says_what_to_install(site: Callable[..., Site]) -> None:
    said = site("harbour", SITE_ADMIN_ROUTE="1").manage("memwatch_doctor", code=1)
    assert "✗ the routes of tests.foreign.harbour.urls cannot be loaded: LookupError" in said
    assert 'Add "django.contrib.admin" to INSTALLED_APPS' in said
    assert "lines above may say why" not in said
