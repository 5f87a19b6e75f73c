"""The pages of a heap dump in Chromium: they fit, shut nobody out, and a keyboard opens the chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from memwatch.admin.recordings import admin
from memwatch.models import Leak, Recording
from memwatch.services.recordings import requests
from tests.admin.visitor import Visitor, browser, program, shop, visit
from tests.services.conftest import transport_url
from tests.services.recordings.dumps import store_dump

__all__ = ["browser", "program", "shop", "transport_url", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def dump(shop: Leak, transport_url: str, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recording:
    assert transport_url
    assert shop.process is not None
    monkeypatch.setattr(requests, "REFUSAL_WAIT_S", 0.0)
    monkeypatch.setattr(admin, "PATIENCE_S", 0.0)
    settings.MEMWATCH = {**getattr(settings, "MEMWATCH", {}), "RECORDINGS_FOLDER": str(tmp_path / "recordings")}
    return store_dump(shop.process, tmp_path, "attribute_of_an_instance", pid=1, host="a")


@pytest.mark.parametrize("visit", [("light", 1280), ("dark", 400)], indirect=True)
def test_through_every_page_of_a_heap_dump(visit: Visitor, dump: Recording) -> None:
    visit.log_in("operator")
    page = visit.go(dump.get_absolute_url())
    page.get_by_role("link", name="Open the analysis").click()
    expect(page.get_by_role("status")).to_contain_text("is being analysed")
    visit.look()
    # The page loads itself until it is there.
    expect(page.get_by_role("heading", name="What keeps the most memory")).to_be_visible()
    visit.look()
    page.locator("summary", has_text="Packages").click()
    visit.look()
    block = page.locator(".mw-icicle a").first
    block.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What would be free with it")).to_be_visible()
    visit.look()
    for query in ("?type=shop.leaks.Quote", "?q=quote", "?q=none.such", "?node=999999"):
        visit.go(reverse("admin:memwatch_recording_heap", args=(dump.pk,)) + query)
        visit.look()
