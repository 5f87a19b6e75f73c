"""The admin as people use it: Chromium walks from the overview to a leak, acts, and looks at the charts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Group, User
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from memwatch.conf import get_settings
from memwatch.models import Leak, Process, Snapshot
from memwatch.permissions import OPERATORS, VIEWERS, create_groups
from memwatch.services.ingest import ingest_reports
from tests.admin.conftest import EVIL, Fleet

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PROGRAMS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def program() -> str:
    found = next((path for path in PROGRAMS if Path(path).exists()), None)
    if found is None:
        sentence = "Chromium is missing: install it with the system's packages, e.g. apt-get install chromium"
        if "browser" in os.environ.get("MEMWATCH_TEST_REQUIRE", "").split(","):
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found


@pytest.fixture(scope="module")
def browser(program: str) -> Iterator[Browser]:
    # Playwright's loop lives in this thread, and Django would take that for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
            yield browser
            browser.close()
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


WAIT_MS = 60_000
"""For a page or a part of it, on a machine that others keep busy."""
expect.set_options(timeout=WAIT_MS)

AXE = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "preload": False,
}
"""WCAG, levels A and AA. Without fetching the style sheets anew: inline copies are what the page's policy forbids."""


class Visitor:
    """A person at a browser. Notes what must not happen: console errors, requests to elsewhere."""

    def __init__(self, context: BrowserContext, server: str) -> None:
        self.server = server
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self._note(message.type == "error", message.text))
        self.page.on("pageerror", lambda error: self._note(True, str(error)))
        self.page.on("dialog", lambda dialog: self._note(True, f"dialog {dialog.message}"))
        self.page.on("request", lambda request: self._note(not request.url.startswith(server), request.url))

    def _note(self, wrong: bool, text: str) -> None:
        if wrong and "favicon.ico" not in text:
            self.complaints.append(f"{self.page.url}: {text}")

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.server}{path}")
        return self.page

    def look(self, part: str = "#content") -> None:
        """Nothing sticks out of the page sideways, and nothing of it shuts somebody out (Django's own frame aside)."""
        self.page.wait_for_load_state("load")  # the styles for narrow screens come last
        wide = self.page.evaluate("document.querySelector('#content-main').scrollWidth")
        assert wide <= self.page.evaluate("window.innerWidth"), self.page.url
        found = Axe().run(self.page, context=part, options=AXE).response["violations"]
        serious = [
            (each["id"], [node["html"] for node in each["nodes"][:3]])
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
        assert not serious, f"{self.page.url}: {serious}"

    def wait_for_chart(self, canvas: str) -> None:
        # Not wait_for_function: the page's policy forbids the eval that it needs.
        deadline = time.monotonic() + WAIT_MS / 1000
        while not self.page.evaluate(f"Boolean(window.Chart && Chart.getChart('{canvas}'))"):
            assert time.monotonic() < deadline, f"{canvas} is not drawn"
            self.page.wait_for_timeout(100)

    def log_in(self, who: str) -> None:
        page = self.go("/admin/")
        page.fill("#id_username", who)
        page.fill("#id_password", who)
        page.click("input[type=submit]")
        expect(page.locator("#user-tools")).to_contain_text(who, ignore_case=True)


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    scheme, width = getattr(request, "param", ("light", 1280))
    context = browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Berlin",
    )
    context.set_default_timeout(WAIT_MS)
    # No favicon is served: the browser's asking for one is no error of the page.
    context.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    visitor = Visitor(context, live_server.url)
    yield visitor
    context.close()
    assert visitor.complaints == []


@pytest.fixture
def shop(transactional_db: None) -> Leak:
    """A service with a history and a leak, and two people."""
    from django.apps import apps

    create_groups(apps.get_app_config("memwatch"), verbosity=0)
    for who, group in (("viewer", VIEWERS), ("operator", OPERATORS)):
        user = User.objects.create_user(who, password=who, is_staff=True)
        user.groups.add(Group.objects.get(name=group))
    fleet = Fleet()
    process = fleet.process("shop")
    for minutes in range(30, 0, -1):
        row = fleet.snapshot(
            process,
            minutes_ago=minutes,
            rss_mb=200.0 - minutes,
            heap_committed_mb=180.0 - minutes,
            top_objects={"dict": 9_000, "shop.leaks.PriceQuote": 4_200 - 100 * minutes, EVIL: 5},
        )
        if minutes == 30:
            fleet.baseline(row)
    fleet.leak(process, EVIL, severity="low")
    return fleet.leak(process)


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
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        ingest_reports()
        found = Process.objects.filter(service__name="live", pid=pid).first()
        if found is not None and Snapshot.objects.filter(process=found).count() >= count:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{count} snapshots of the process with the agent did not arrive")


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
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("cell", name="199.0 MB")).to_be_visible()
    visit.look()
    return page


def _change_the_range(visit: Visitor) -> None:
    page = visit.page
    page.locator(".mw-range").get_by_role("link", name="1 h", exact=True).click()
    expect(page.locator(".mw-range [aria-current]")).to_have_text("1 h")
    assert "range=1h" in page.url
    visit.wait_for_chart("mw-chart-memory")


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
def test_a_viewer_sees_all_of_it_and_no_button(visit: Visitor, shop: Leak) -> None:
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
    for model in ("leak", "alert", "baseline", "command", "expectedgrowth", "lease"):
        visit.go(f"/admin/memwatch/{model}/")
        expect(page.locator("select[name=action]")).to_have_count(0)
        expect(page.locator("#content .addlink")).to_have_count(0)
        visit.look("#result_list tbody, .mw-about, .mw-nothing")


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


def test_the_overview_stops_refreshing_when_paused(visit: Visitor, shop: Leak) -> None:
    visit.log_in("viewer")
    page = visit.go("/admin/memwatch/overview/")
    box = page.locator("#mw-refresh")
    expect(box).to_be_checked()
    box.uncheck()
    page.reload()
    expect(page.locator("#mw-refresh")).not_to_be_checked()
