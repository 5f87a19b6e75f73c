"""The admin as people use it: Chromium walks from the overview to a leak, acts, and looks at the charts."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Page, expect

from memwatch.conf import get_settings
from memwatch.models import (
    Command,
    Counter,
    ExpectedGrowth,
    Leak,
    Lease,
    Process,
    RejectedReport,
    Release,
    Snapshot,
    SnapshotRollup,
)
from memwatch.services.ingest.reader import ingest_reports
from tests.admin.conftest import EVIL, Fleet
from tests.admin.visitor import Visitor, browser, program, shop, visit
from tests.waiting import until

__all__ = ["browser", "program", "shop", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def upkeep(shop: Leak) -> tuple[str, ...]:
    """A row of everything that keeps memwatch running, and the names of these tables."""
    process, now = shop.process, timezone.now()
    assert process is not None
    Process.objects.update(release=Release.objects.create(service=process.service, name="2.4"))
    Command.objects.create(wire_id="1" * 32, name="snapshot", process=process, state="expired", expires_at=now)
    ExpectedGrowth.objects.create(type_pattern=EVIL, reason="a cache")
    Lease.objects.create(name="detect_leaks", expires_at=now, last_finished_at=now - timedelta(hours=2))
    Counter.objects.create(name="memwatch_snapshots_stored", labels="service=shop", value=30)
    RejectedReport.objects.create(reason="malformed", detail=EVIL, excerpt=EVIL * 40, size=99, fingerprint="1")
    figures = {"rss_kib": [1024, 2048, 4096]}
    SnapshotRollup.objects.create(process=process, period="hour", start=now, samples=60, figures=figures, floors={})
    return (
        "release",
        "command",
        "expectedgrowth",
        "lease",
        "counter",
        "rejectedreport",
        "objecttype",
        "snapshotrollup",
    )


def test_the_lives_of_recycled_workers_are_drawn_over_each_other(visit: Visitor, shop: Leak) -> None:
    dots = [[60.0 * part, 100.0 + 10 * part] for part in range(9)]
    line = {
        "axis": "age",
        "unit": "objects",
        "start": dots[0],
        "end": 480.0,
        "slope": 600.0,
        "low": 500.0,
        "high": 700.0,
    }
    Leak.objects.filter(pk=shop.pk).update(process=None, evidence={"trend": {**line, "floors": dots}})
    visit.log_in("viewer")
    page = visit.go(f"/admin/memwatch/leak/{shop.pk}/change/")
    visit.wait_for_chart("mw-chart-pooled")
    drawn = "Chart.getChart('mw-chart-pooled')"
    assert page.evaluate(f"{drawn}.scales.x.max") == 480
    assert "2 mins" in page.evaluate(f"{drawn}.scales.x.ticks.map(each => each.label)")
    assert page.evaluate(f"{drawn}.scales.y.min") >= 0
    page.get_by_text("As a table: All processes").click()
    expect(page.get_by_role("cell", name="180", exact=True)).to_be_visible()
    visit.look()


AGENT = """
import sys, time
from memwatch import agent
transport, key = sys.argv[1:]
config = agent.AgentConfig(transport=transport, command_key=key, host="here", service="live", snapshot_interval=3600)
agent.start(config, delay_s=0)
sys.stdin.read()
"""


@pytest.fixture
def live(transactional_db: None) -> Iterator[Process]:
    """A process with an agent that answers: it took one snapshot, and takes the next ones on command."""
    settings = get_settings()
    command = [sys.executable, "-c", AGENT, settings.transport_url, settings.command_key]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            yield _arrived(1, process.pid)
        finally:
            process.kill()


def _arrived(count: int, pid: int) -> Process:
    """The process with the agent, once so many of its snapshots are stored. Another test's may have left reports."""

    def arrived() -> Process | None:
        ingest_reports()
        found = Process.objects.filter(service__name="live", pid=pid).first()
        return found if found is not None and Snapshot.objects.filter(process=found).count() >= count else None

    process = until(arrived, within_s=90, every_s=0.2)
    assert process is not None
    return process


def _walk_to_the_leak(visit: Visitor) -> Page:
    """From the overview to the page of a leak and its curve."""
    page = visit.go("/admin/memwatch/overview/")
    visit.look()
    page.get_by_role("link", name="shop.leaks.PriceQuote").first.click()
    expect(page.locator(".mw-verdict").first).to_contain_text("grows by 1,300 objects an hour")
    visit.wait_for_chart("mw-chart-type")
    drawn = "Chart.getChart('mw-chart-type').data.datasets.find(each => each.label === 'shop.leaks.PriceQuote')"
    assert page.evaluate(f"{drawn}.data.length") == 30
    expect(page.locator("#step-rss")).to_contain_text("Yes: RSS rose from 170.0 MB to 199.0 MB")
    expect(page.locator("#step-referrers")).to_contain_text("not measured yet")
    # The browser told its zone with the first page: the next are written in it.
    detected = page.locator(".mw-facts time").first
    assert (detected.get_attribute("title") or "").endswith((" CET", " CEST"))
    expect(page.locator(".mw-ranges")).to_contain_text("Times in Europe/Berlin")
    page.get_by_text("Show as a table").click()
    expect(page.get_by_role("cell", name="199.0 MB")).to_be_visible()
    visit.look()
    return page


def _change_the_range(visit: Visitor) -> None:
    page = visit.page
    page.locator(".mw-range").get_by_role("link", name="1 h", exact=True).click()
    expect(page.locator(".mw-range [aria-current]")).to_have_text("1 h")
    assert "range=1h" in page.url
    visit.wait_for_chart("mw-chart-memory")
    canvas = page.locator("#mw-chart-memory")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, middle, steps=4)
    page.mouse.up()
    page.wait_for_url("**from=*to=*")
    visit.wait_for_chart("mw-chart-memory")
    page.get_by_role("link", name="← earlier").click()
    expect(page.get_by_role("link", name="later →")).to_be_visible()


@pytest.mark.parametrize("visit", [("light", 1280), ("dark", 400)], indirect=True)
def test_an_operator_finds_a_leak_acts_on_it_and_measures_anew(visit: Visitor, shop: Leak, live: Process) -> None:
    visit.log_in("operator")
    page = _walk_to_the_leak(visit)
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_label("Comment").fill("on it")
    visit.look()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".messagelist")).to_contain_text("1 leak was acknowledged.")
    expect(page.locator(".mw-history")).to_contain_text("on it")
    connection.close()
    assert Leak.objects.get(pk=shop.pk).state == Leak.State.ACKNOWLEDGED
    page.get_by_role("link", name="shop-1 on node-a").first.click()
    _change_the_range(visit)
    visit.look()
    visit.go(f"/admin/memwatch/process/{live.pk}/change/")
    page.get_by_role("button", name="Snapshot now").click()
    expect(page.locator(".messagelist")).to_contain_text("1 process was asked for a snapshot.")
    _arrived(2, live.pid)
    page.reload()
    page.get_by_role("link", name="Snapshots", exact=True).last.click()
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    visit.go(f"/admin/memwatch/process/{live.pk}/change/")
    page.get_by_role("button", name="Reset baseline").click()
    page.get_by_label("Reason").fill("after the deployment")
    page.get_by_role("button", name="Reset baseline").click()
    expect(page.locator(".messagelist")).to_contain_text("The baseline of 1 process was reset.")
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.get_by_role("heading", name="Types", exact=True)).to_be_visible()
    expect(page.get_by_role("row", name="dict").first).to_be_visible()
    visit.look()


@pytest.mark.parametrize("visit", [("dark", 1280), ("light", 400)], indirect=True)
def test_a_viewer_sees_all_of_it_and_no_button(visit: Visitor, shop: Leak, upkeep: tuple[str, ...]) -> None:
    visit.log_in("viewer")
    page = _walk_to_the_leak(visit)
    expect(page.locator("[data-act]")).to_have_count(0)
    page.get_by_role("link", name="shop-1 on node-a").first.click()
    expect(page.get_by_role("heading", name="Types now")).to_be_visible()
    expect(page.get_by_role("row", name="shop.leaks.PriceQuote").last).to_contain_text("+2,900")
    _change_the_range(visit)
    expect(page.locator("[data-act]")).to_have_count(0)
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.get_by_role("heading", name="Types", exact=True)).to_be_visible()
    for model in ("leak", "alert", "baseline", *upkeep):
        visit.go(f"/admin/memwatch/{model}/")
        expect(page.locator("select[name=action]")).to_have_count(0)
        expect(page.locator("#content .addlink")).to_have_count(0)
        if model not in upkeep:
            visit.look("#result_list tbody, .mw-about, .mw-nothing")
            continue
        page.locator("#result_list tbody a").first.click()
        expect(page.locator("#content input:not([type=hidden]), #content textarea")).to_have_count(0)
        visit.look()


def test_a_leak_is_acknowledged_without_a_mouse(visit: Visitor, shop: Leak) -> None:
    visit.log_in("operator")
    page = visit.go(f"/admin/memwatch/leak/{shop.pk}/change/")
    page.get_by_role("button", name="Acknowledge").focus()
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring != "none"
    page.keyboard.press("Enter")
    page.get_by_label("Comment").press_sequentially("by hand")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("1 leak was acknowledged.")


def test_an_operator_snoozes_several_leaks_from_the_list(visit: Visitor, shop: Leak) -> None:
    visit.log_in("operator")
    page = visit.go("/admin/memwatch/leak/")
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option("snooze")
    page.get_by_role("button", name="Go").click()
    expect(page.locator(".mw-confirm")).to_contain_text("2 leaks")
    page.get_by_role("button", name="Snooze").click()
    expect(page.locator(".messagelist")).to_contain_text("2 leaks were snoozed.")
    connection.close()
    assert set(Leak.objects.values_list("state", flat=True)) == {Leak.State.SNOOZED}


def test_a_refresh_keeps_the_order_the_focus_and_what_is_scrolled(visit: Visitor, shop: Leak) -> None:
    visit.log_in("viewer")
    for slot, rss in ((1, 900.0), (2, 100.0)):
        Fleet().snapshot(Fleet().process(f"s{slot}", slot=slot), rss_mb=rss)
    page = visit.go("/admin/memwatch/overview/")
    page.evaluate("document.getElementById('mw-refresh').dataset.seconds = '1'")
    heading = page.locator(".mw-services").get_by_role("button", name="RSS")
    heading.click()
    heading.click()
    first = page.locator(".mw-services tbody tr").first
    expect(first).to_contain_text("s2")
    before = page.locator("#mw-live").evaluate_handle("each => each")
    page.locator("#mw-refresh").uncheck()
    page.locator("#mw-refresh").check()
    heading.focus()
    deadline = time.monotonic() + 60
    while before.evaluate("each => each.isConnected"):
        assert time.monotonic() < deadline, "it was not renewed"
        page.wait_for_timeout(100)
    expect(first).to_contain_text("s2")
    expect(page.locator(".mw-services [aria-sort=ascending]")).to_have_text("RSS")
    assert page.evaluate("document.activeElement.textContent") == "RSS"


def test_the_overview_stops_refreshing_when_paused(visit: Visitor, shop: Leak) -> None:
    visit.log_in("viewer")
    page = visit.go("/admin/memwatch/overview/")
    box = page.locator("#mw-refresh")
    expect(box).to_be_checked()
    box.uncheck()
    page.reload()
    expect(page.locator("#mw-refresh")).not_to_be_checked()
