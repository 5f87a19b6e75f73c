"""A person at a browser: Chromium, what must not happen in it, and a leak to look at."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Group, User
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from memwatch.models import Leak
from memwatch.permissions import OPERATORS, VIEWERS, create_groups
from tests.admin.conftest import EVIL, Fleet
from tests.servers import require

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
    return require("browser", found, "install Chromium with the system's packages, e.g. apt-get install chromium")


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
