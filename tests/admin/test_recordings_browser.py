"""The pages of recordings in Chromium: they fit, shut nobody out, and ask nothing of the network."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from memwatch.models import Leak, LeakEvent, Trigger
from tests.admin.conftest import EVIL
from tests.admin.visitor import Visitor, browser, program, shop, visit
from tests.services.recorded import store_recording

__all__ = ["browser", "program", "shop", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("visit", [("light", 1280), ("dark", 400)], indirect=True)
def test_from_a_leak_through_every_page_of_a_recording(visit: Visitor, shop: Leak) -> None:
    process = shop.process
    assert process is not None
    first = store_recording(process, "referrers", leak=shop)
    recordings = [first, store_recording(process, "allocations", leak=shop, follows=first)]
    recordings += [store_recording(process, "heap_summary") for _ in range(2)]
    recordings.append(store_recording(process, "referrers", options={"type": EVIL}, state="failed", error=EVIL))
    LeakEvent.objects.create(leak=shop, kind="detected")
    rule = Trigger.objects.create(name=EVIL, severity="low")
    visit.log_in("operator")
    page = visit.go(shop.get_absolute_url())
    page.click("button[data-act=record-cause]")
    expect(page.locator(".mw-verdict")).to_contain_text("stop by themselves")
    visit.look()
    for path in (
        *(row.get_absolute_url() for row in recordings[:3] + recordings[4:]),
        reverse("admin:memwatch_recording_difference", args=(recordings[3].pk,)) + f"?other={recordings[2].pk}",
        reverse("admin:memwatch_known_causes"),
        reverse("admin:memwatch_trigger_rehearsal", args=(rule.pk,)),
    ):
        visit.go(path)
        visit.look()
