"""Deaths in Chromium: from the overview over the list to the page of one; it fits, shuts nobody out, and is drawn."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from memwatch.models import Leak
from memwatch.records.flight import JobRun, TypeSize
from tests.admin.conftest import EVIL
from tests.admin.visitor import Visitor, browser, program, shop, visit
from tests.services.stored_deaths import store_death

__all__ = ["browser", "program", "shop", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def died(shop: Leak) -> Leak:
    """A process of the service with a leak that ended ten minutes ago, and one with a hostile job."""
    process = shop.process
    assert process is not None
    at = process.last_seen_at - timedelta(minutes=10)
    end = at.timestamp()
    minutes = [(end - 60.0 * minute, 300.0) for minute in range(60, 1, -1)]
    seconds = [(end - second, 500.0 - 2 * second) for second in range(59, -1, -1)]
    store_death("shop", at=at - timedelta(hours=1), job=EVIL * 4)
    store_death(
        "shop", at=at, rss_seconds=(*minutes, *seconds), recent=(JobRun("task", EVIL * 4, end - 90, 0.25),),
        growers=((shop.object_type, 1_800_000), (EVIL * 4, 12)), summary=(TypeSize(EVIL * 4, 3, 1.0),),
    )  # fmt: skip
    return shop


@pytest.mark.parametrize("visit", [("light", 1280), ("dark", 1280), ("light", 400), ("dark", 400)], indirect=True)
def test_from_the_overview_to_a_death_and_to_the_leak_of_what_had_grown(visit: Visitor, died: Leak) -> None:
    visit.log_in("viewer")
    page = visit.go("/admin/memwatch/overview/")
    page.get_by_role("link", name="2 deaths in 24 h").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    visit.look("#changelist-form")
    page.locator("#result_list tbody tr").first.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="How it ended")).to_be_visible()
    for canvas in ("mw-chart-end", "mw-chart-last-seconds"):
        visit.wait_for_chart(canvas)
    assert page.evaluate("Chart.getChart('mw-chart-end').scales.x.max") == 0
    assert page.evaluate("Chart.getChart('mw-chart-end').scales.x.min") == -3600
    ticks = page.evaluate("Chart.getChart('mw-chart-last-seconds').scales.x.ticks.map((tick) => tick.label)")
    assert ticks[-1].startswith("0 ")
    assert not any(tick.startswith("-") for tick in ticks)
    visit.look()
    page.get_by_role("link", name="open leak").first.click()
    expect(page.get_by_role("heading", name=died.object_type).first).to_be_visible()
