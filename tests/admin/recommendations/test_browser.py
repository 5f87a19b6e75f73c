"""The page "Settings that fit" in Chromium: it fits, shuts nobody out, and its lines can be copied."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from memwatch.models import Leak, Process
from tests.admin.visitor import Visitor, browser, program, shop, visit
from tests.services.stored_lives import store_lives, store_peaks

__all__ = ["browser", "program", "shop", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PICTURES = os.environ.get("MEMWATCH_TEST_PICTURES", "")
"""A folder for pictures of the pages, to be looked at."""


def picture(visit: Visitor, name: str) -> None:
    if PICTURES:
        width = (visit.page.viewport_size or {"width": 0})["width"]
        visit.page.screenshot(path=Path(PICTURES) / f"{name}-{width}.png", full_page=True)


@pytest.mark.parametrize("visit", [("light", 1280), ("dark", 1280), ("light", 400), ("dark", 400)], indirect=True)
def test_the_numbers_fit_every_width_and_can_be_copied(visit: Visitor, shop: Leak) -> None:
    now = timezone.now()
    for name, program_name in (("web", "gunicorn worker"), ("jobs", "celery child")):
        store_peaks(store_lives(now, name, program=program_name, shared_mb=60.0)[-1], now)
    server = {"server": "celery", "pool": "prefork", "concurrency": 2, "max_memory_per_child": 120_000}
    Process.objects.filter(service__name="jobs").update(server_settings=server)
    visit.log_in("viewer")
    page = visit.go("/admin/memwatch/operations/")
    page.get_by_role("link", name="Settings that fit").click()
    expect(page.get_by_role("link", name="jobs", exact=True)).to_be_visible()
    visit.look()
    picture(visit, "list")
    page.get_by_role("link", name="jobs", exact=True).click()
    expect(page.get_by_role("heading", name="Calculation")).to_be_visible()
    visit.look()
    picture(visit, "jobs")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_text("copied", exact=True)).to_be_visible()
    assert "app.conf.worker_max_tasks_per_child = " in page.evaluate("navigator.clipboard.readText()")
    visit.go(f"/admin/memwatch/leak/{shop.pk}/change/")
    page.locator("#mw-until-fixed").scroll_into_view_if_needed()
    picture(visit, "leak")
