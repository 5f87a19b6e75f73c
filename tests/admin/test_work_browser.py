"""The page Work in Chromium: it fits, shuts nobody out, and its columns sort."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from memwatch.models import Leak
from memwatch.queries.work import HOUR
from memwatch.records.work import VIEW
from tests.admin.conftest import EVIL
from tests.admin.visitor import Visitor, browser, program, shop, visit
from tests.services.stored_work import figures, store_work

__all__ = ["browser", "program", "shop", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SYNC = "shop.tasks.sync_prices"


@pytest.fixture
def worked(shop: Leak) -> Leak:
    """A leak that a task explains, and views beside the task."""
    process = shop.process
    assert process is not None
    for hours in range(4):
        store_work(
            process, process.last_seen_at - hours * HOUR,
            figures(SYNC, 60, kept=2, kept_kib=1, peak_kib=2_000),
            figures("shop:upload", 3, kind=VIEW, kept=50, peak_kib=300_000, shared=1),
            figures(EVIL * 4, 1, kind=VIEW),
        )  # fmt: skip
    work = {"works": [{"kind": "task", "name": SYNC}], "per_call": 2.0, "low": 1.9, "high": 2.1, "share": 0.97}
    shop.evidence = {"work": {"culprits": [{**work, "source": "direct"}], "sentence": f"{SYNC}: 2.0 objects a call."}}
    shop.save()
    return shop


@pytest.mark.parametrize("visit", [("light", 1400), ("dark", 1400), ("light", 400), ("dark", 400)], indirect=True)
def test_from_the_leak_to_the_work_of_its_job_and_the_columns_sort(visit: Visitor, worked: Leak) -> None:
    visit.log_in("viewer")
    page = visit.go(f"/admin/memwatch/leak/{worked.pk}/change/")
    visit.look("#step-work")
    page.locator("#step-work").get_by_role("link", name=SYNC).click()
    expect(page.locator(".mw-work tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Show all").click()
    names = page.locator(".mw-work tbody th")
    expect(names).to_have_count(3)
    visit.look()
    for head in ("Highest peak", "Blocks kept per call"):
        page.get_by_role("button", name=head).click()
        expect(names.first).to_have_text("shop:upload")
    page.get_by_role("button", name="Blocks kept per call").click()
    expect(names.first).to_have_text(SYNC)
    page.get_by_label("name", exact=True).fill("upload")
    page.get_by_role("button", name="Search").click()
    expect(names).to_have_text(["shop:upload"])
    names.first.get_by_role("link").click()
    expect(page.get_by_role("heading", name="The last 24 hours, by service")).to_be_visible()
    visit.look()
