"""The page of a release in Chromium: it says what changed, fits, and shuts nobody out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from memwatch.models import Leak, Release
from tests.admin.visitor import Visitor, browser, program, shop, visit
from tests.services.stored_releases import DJANGO, store_release

__all__ = ["browser", "program", "shop", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HOUR = timedelta(hours=1)


@pytest.fixture
def grown(shop: Leak) -> Release:
    """2.4 of the service, which imports ddtrace; 2.3 and 2.2 ran before it."""
    now = timezone.now()
    store_release("2.2", now - 9 * HOUR, now - 8 * HOUR, service="site", alive=False, birth_mb=240.0)
    store_release("2.3", now - 3 * HOUR, now - 2 * HOUR, service="site", alive=False)
    return store_release(
        "2.4", now - 1.5 * HOUR, now, service="site", birth_mb=250.0, types={"dict": 30_000},
        packages={**DJANGO, "ddtrace": ("ddtrace", 977)}, versions={"django": "5.2", "ddtrace": "4.1"},
    )  # fmt: skip


@pytest.mark.parametrize("visit", [("light", 1400), ("dark", 400)], indirect=True)
def test_what_a_release_changed(visit: Visitor, grown: Release) -> None:
    visit.log_in("viewer")
    page = visit.go(f"/admin/memwatch/release/{grown.pk}/change/")
    expect(page.locator(".mw-verdict")).to_contain_text("Against 2.3: +150 MB a worker at birth")
    expect(page.get_by_role("row", name="ddtrace")).to_contain_text("4.1")
    visit.look()
    page.get_by_role("row", name="2.2").get_by_role("link", name="compare with it").click()
    expect(page.locator(".mw-verdict")).to_contain_text("Against 2.2:")
