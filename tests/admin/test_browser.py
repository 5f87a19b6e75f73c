"""The admin as people use it: Chromium walks from the overview to a leak, acts, and looks at the charts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from memwatch.models import Leak
from memwatch.permissions import OPERATORS, VIEWERS, create_groups
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
            self.complaints.append(text)

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.server}{path}")
        return self.page

    def wait_for_chart(self, canvas: str) -> None:
        self.page.wait_for_function(f"window.Chart && Chart.getChart('{canvas}')")

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
        color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce", locale="en-GB"
    )
    context.set_default_timeout(15_000)
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


@pytest.mark.parametrize("visit", [("light", 1280), ("dark", 400)], indirect=True)
def test_an_operator_finds_a_leak_looks_at_it_and_acknowledges_it(visit: Visitor, shop: Leak) -> None:
    visit.log_in("operator")
    page = visit.go("/admin/memwatch/overview/")
    page.get_by_role("link", name="shop.leaks.PriceQuote").first.click()
    expect(page.locator(".mw-verdict")).to_contain_text("grows by 1,300 objects an hour")
    expect(page.locator("#mw-chart-type")).to_be_visible()
    visit.wait_for_chart("mw-chart-type")
    assert page.evaluate("Chart.getChart('mw-chart-type').data.datasets[0].data.length") == 30
    page.get_by_text("The same as a table").click()
    expect(page.get_by_role("cell", name="199.0 MB")).to_be_visible()
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_label("Comment").fill("on it")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".messagelist")).to_contain_text("1 leak was acknowledged.")
    expect(page.locator(".mw-history")).to_contain_text("on it")
    connection.close()
    assert Leak.objects.get(pk=shop.pk).state == Leak.State.ACKNOWLEDGED
    wide = page.evaluate("document.querySelector('#content-main').scrollWidth")
    assert wide <= page.evaluate("window.innerWidth")


def test_a_viewer_looks_at_a_process_and_has_no_buttons(visit: Visitor, shop: Leak) -> None:
    visit.log_in("viewer")
    page = visit.go("/admin/memwatch/process/")
    page.get_by_role("link", name="shop-1").click()
    expect(page.get_by_role("heading", name="Types")).to_be_visible()
    expect(page.get_by_role("row", name="shop.leaks.PriceQuote").last).to_contain_text("+2,900")
    expect(page.locator(".mw-buttons")).to_have_count(0)
    page.get_by_role("link", name="1 h", exact=True).click()
    expect(page.locator(".mw-range strong")).to_have_text("1 h")
    visit.wait_for_chart("mw-chart-memory")
    assert page.evaluate("Chart.getChart('mw-chart-memory').data.datasets.length") == 3


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
