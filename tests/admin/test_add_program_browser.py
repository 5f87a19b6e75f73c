"""*Add a program* in Chromium: the lines are copied, and the page turns green without a reload."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from playwright.sync_api import expect

from memwatch.models import Leak
from tests.admin.visitor import Visitor, browser, program, shop, visit
from tests.services.stored import store_process

__all__ = ["browser", "program", "shop", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("visit", [("light", 1280), ("dark", 400)], indirect=True, ids=["light", "dark-narrow"])
def test_a_program_is_added(visit: Visitor, shop: Leak) -> None:
    User.objects.get(username="viewer").user_permissions.add(Permission.objects.get(codename="see_command_key"))
    visit.log_in("viewer")
    visit.go("/admin/memwatch/process/").get_by_role("link", name="Add a program").click()
    page = visit.page
    page.get_by_label("Service").fill("api")
    page.get_by_role("button", name="Show the lines").click()
    expect(page.get_by_text("No process of api reports yet.")).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_have_count(5)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_text("copied").first).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("export MEMWATCH_TRANSPORT=")
    visit.look()
    _photograph(visit, "waiting")
    process = store_process("api")
    process.last_seen_at = timezone.now()
    process.save()
    expect(page.locator(".mw-verdict-good")).to_have_text("1 process of api reports.")
    visit.look()
    _photograph(visit, "green")


def _photograph(visit: Visitor, name: str) -> None:
    folder = os.environ.get("MEMWATCH_TEST_PHOTOGRAPHS")
    if folder:
        width = visit.page.viewport_size["width"]  # type: ignore[index]
        visit.page.screenshot(path=Path(folder, f"program-{name}-{width}.png"), full_page=True)
