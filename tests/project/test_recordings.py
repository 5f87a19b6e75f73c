"""Recordings of the real stack's own processes: by a button in Chromium, by the API, and of the demo's leaks."""

from __future__ import annotations

import time
import urllib.error
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.admin.visitor import Visitor, browser, program
from tests.project.stack import PASSWORD, Stack

__all__ = ["browser", "program"]
pytestmark = pytest.mark.deployment

URL = "/api/v1/recordings/"
CAUSES = {
    "shop.leaks.PriceQuote": ("shop.leaks.QUOTES", "leaks.py"),
    "shop.leaks.AuditReceiver": ("shop.leaks.order_placed", "leaks.py"),
    "shop.models.Customer": ("shop.models.Customer.discount", "base.py"),
    "untracked": ("shop.leaks.FRAGMENTS", "leaks.py"),
}
"""What refers to each leak of the demo, and where it is allocated: customers by Django, which a view calls."""


def two_workers(stack: Stack) -> list[dict[str, Any]]:
    def find() -> list[dict[str, Any]] | None:
        rows = [row for row in stack.watched() if row["program"] == "gunicorn worker"]
        return rows if len(rows) == 2 else None

    found: list[dict[str, Any]] = stack.wait_for(find, 60)
    return found


def over(stack: Stack, recording: int, *, seconds: float = 120) -> dict[str, Any]:
    """The recording, when it is over."""

    def look() -> dict[str, Any] | None:
        row: dict[str, Any] = stack.call("GET", f"{URL}{recording}/")
        return row if row["state"] not in ("requested", "running") else None

    found: dict[str, Any] = stack.wait_for(look, seconds)
    return found


@pytest.mark.browser
def test_a_button_leads_to_a_flame_graph_that_reaches_nothing(tmp_path: Path, browser: Browser, migrated: Path) -> None:
    with Stack(tmp_path).on_copy_of(migrated) as stack:
        process, other = two_workers(stack)

        def ask(of: int = process["id"], **body: Any) -> dict[str, Any]:
            row: dict[str, Any] = stack.call("POST", URL, {"process": of, **body})
            return row

        check = ask(other["id"], kind="trim", options={"watch_minutes": 1})  # first, as it is followed for so long
        visitor = Visitor(browser.new_context(viewport={"width": 1280, "height": 900}), stack.url)
        page = visitor.go("/admin/")
        page.set_default_timeout(60_000)
        page.fill("#id_username", "admin")
        page.fill("#id_password", PASSWORD)
        page.click("input[type=submit]")
        page.goto(f"{stack.url}/admin/memwatch/process/{process['id']}/change/")
        page.click("button[data-act=record-flamegraph]")
        expect(page.locator(".mw-verdict")).to_contain_text("runs slower")
        page.fill("#id_duration_s", "3")
        page.click(".mw-confirm button[type=submit]")
        expect(page.locator("h1 .mw-state-done")).to_be_visible(timeout=120_000)
        graph = page.frame_locator("iframe.mw-flamegraph")
        expect(graph.locator("svg .frame, svg g").first).to_be_attached(timeout=60_000)
        assert visitor.complaints == []
        page.context.close()

        long = ask(kind="allocations", options={"duration_s": 300})
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(kind="heap_summary")
        with refused.value as answer:
            assert answer.code == 409
        assert stack.call("POST", f"{URL}{long['id']}/cancel/")["state"] == "cancelled"
        # The process takes a moment to stop, and refuses meanwhile.
        summary = stack.wait_for(lambda: ask(kind="heap_summary"), 60)
        assert over(stack, summary["id"])["result"]["types"]
        checked = over(stack, check["id"])
        assert checked["result"]["rss_before_mb"] > 10
        assert checked["conclusion"]["finding"]
        rows = stack.rows("/api/v1/processes/")
        assert {row["allocator_settings"] is not None for row in rows if not row["outside"]} == {True}

        def watched() -> bool:
            return stack.call("GET", f"{URL}{check['id']}/")["result"]["watched_s"] == 60

        if checked["result"]["trimmed"]:
            stack.wait_for(watched, 150)
        assert stack.errors() == []


@pytest.mark.soak
def test_one_call_for_each_leak_of_the_demo_names_who_holds_it_and_which_line_allocates_it(tmp_path: Path) -> None:
    with Stack(tmp_path, "--demo", MEMWATCH_SNAPSHOT_INTERVAL="2") as stack:

        def leaks() -> dict[str, int] | None:
            rows = stack.rows("/api/v1/leaks/?service=shop&state=open")
            found = {row["object_type"]: row["id"] for row in rows if row["process"]}
            return found if found.keys() >= CAUSES.keys() else None

        for object_type, leak in stack.wait_for(leaks, 400).items():
            if object_type not in CAUSES:
                continue
            begun = time.monotonic()
            first = stack.call("POST", URL, {"leak": leak})

            def cause(first: Any = first) -> dict[str, Any] | None:
                told: dict[str, Any] = stack.call("GET", f"{URL}{first['id']}/")["conclusion"]
                return told if told["held_by"] and told["allocated_at"] else None

            told = stack.wait_for(cause, 180)
            took = time.monotonic() - begun
            holder, line = CAUSES[object_type]
            assert holder in told["held_by"], (object_type, told)
            assert line in told["allocated_at"], (object_type, told)
            assert ("views.py" in told["called_from"]) == (line == "base.py"), (object_type, told)
            assert took < 90, f"{object_type}: {took:.0f} s"
