"""Makes the pictures of this folder from the demo: ``make screenshots``.

Starts the demo in a folder of its own, lets it run until its leaks are found and have a history, and photographs the
main pages in Chromium. With ``--url`` it photographs a demo that runs already.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Locator, Page, sync_playwright

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAMS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb"]
MOST_KB = 250
START_S = 180
LEAK = "PriceQuote"


def main() -> int:
    """Write the pictures; 1 when one is too big."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="of a demo that runs, e.g. http://127.0.0.1:8000")
    parser.add_argument("--password", default=os.environ.get("MEMWATCH_ADMIN_PASSWORD", ""), help="of its user admin")
    parser.add_argument("--minutes", type=float, default=5, help="to let a demo of its own run (5)")
    parser.add_argument("--into", type=Path, default=HERE)
    options = parser.parse_args()
    program = next((path for path in PROGRAMS if Path(path).exists()), None)
    if program is None:
        say("Chromium is missing: install it, e.g. apt-get install chromium", file=sys.stderr)
        return 1
    if options.url:
        return photograph(program, options.url.rstrip("/"), options.password, options.into)
    password = secrets.token_urlsafe(12)
    with demo(password) as url:
        say(f"the demo runs at {url}; its leaks get {options.minutes:g} minutes")
        time.sleep(options.minutes * 60)
        return photograph(program, url, password, options.into)


@contextmanager
def demo(password: str) -> Iterator[str]:
    """The demo with state of its own, on free ports."""
    port, exporter = _free_port(), _free_port()
    with tempfile.TemporaryDirectory(prefix="memwatch-pictures-") as folder:
        environment = {
            **os.environ,
            "MEMWATCH_VAR": f"{folder}/var",
            "PORT": str(port),
            "EXPORTER_PORT": str(exporter),
            "MEMWATCH_ADMIN_PASSWORD": password,
            "DJANGO_SETTINGS_MODULE": "project.settings",
        }
        with Path(folder, "log").open("wb") as log:
            running = subprocess.Popen(
                [sys.executable, "manage.py", "run_stack", "--demo"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        try:
            url = f"http://127.0.0.1:{port}"
            _await(f"{url}/healthz", running)
            yield url
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(60)


def photograph(program: str, url: str, password: str, into: Path) -> int:
    """Take every picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for scheme, suffix in (("light", ""), ("dark", "-dark")):
            page = _log_in(browser, url, password, scheme, 1280)
            overview = f"{url}/admin/memwatch/overview/"
            page.goto(overview)
            _picture(page, into / f"overview{suffix}.png", height=900)
            _row_of_the_leak(page).locator("th a").click()
            _charts(page)
            _picture(page, into / f"leak{suffix}.png", height=1500)
            page.goto(overview)
            _row_of_the_leak(page).locator(".mw-where a").first.click()
            page.get_by_role("link", name="1 h", exact=True).click()
            _charts(page)
            _picture(page, into / f"process{suffix}.png", height=1500)
            page.get_by_role("link", name="Compare", exact=True).click()
            page.wait_for_url("**/compare/**")
            _picture(page, into / f"compare{suffix}.png", height=1000)
            page.context.close()
        page = _log_in(browser, url, password, "dark", 400)
        page.goto(f"{url}/admin/memwatch/overview/")
        _picture(page, into / "overview-narrow.png", height=1100)
        browser.close()
    big = [path.name for path in into.glob("*.png") if path.stat().st_size > MOST_KB * 1000]
    if big:
        say(f"bigger than {MOST_KB} kB: {', '.join(big)}", file=sys.stderr)
    return bool(big)


def _log_in(browser: Browser, url: str, password: str, scheme: str, width: int) -> Page:
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 900},
        reduced_motion="reduce",
        locale="en-GB",
    )
    page = context.new_page()
    page.goto(f"{url}/admin/login/?next=/admin/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", password)
    page.click("input[type=submit]")
    page.wait_for_selector("#user-tools")
    return page


def _row_of_the_leak(page: Page) -> Locator:
    """On the overview."""
    leaks = page.locator("section[aria-labelledby=mw-leaks]")
    return leaks.get_by_role("row", name=re.compile(LEAK)).first


def _charts(page: Page) -> None:
    page.wait_for_selector("canvas[data-drawn]")
    page.wait_for_selector("canvas:not([data-drawn])", state="detached")


def _picture(page: Page, path: Path, *, height: int) -> None:
    """The top of the page, down to a height."""
    page.wait_for_load_state("load")
    whole = page.evaluate("document.documentElement.scrollHeight")
    width = page.viewport_size["width"] if page.viewport_size else 1280
    page.set_viewport_size({"width": width, "height": min(height, whole)})
    page.wait_for_timeout(400)
    page.screenshot(path=path)
    say(f"{path.name}: {path.stat().st_size // 1000} kB")


def say(text: str, *, file: TextIO | None = None, flush: bool = True) -> None:
    """To the terminal."""
    print(text, file=file or sys.stdout, flush=flush)


def _await(url: str, running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and running.poll() is None:
        try:
            with urlopen(url, timeout=2):  # noqa: S310 - http of the loopback
                return
        except (URLError, OSError):
            time.sleep(0.5)
    raise SystemExit(f"the demo did not start: no answer from {url}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    raise SystemExit(main())
