"""memwatch, added by the README's lines to projects that others have written, served under load."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.sites.foreign import ForeignSite, build_wheel, environment_with
from tests.sites.recipes import RECIPES, Recipe

pytestmark = pytest.mark.sites

LOAD_S = 10.0
CLIENTS = 4
WATCHED = [["beat", "celery beat"], ["web", "gunicorn worker"], ["web", "gunicorn worker"], ["worker", "celery child"],
           ["worker", "celery main"]]  # fmt: skip
TROUBLE = ("Traceback", "ERROR", "CRITICAL", "database is locked", "memwatch:")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(params=RECIPES)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return RECIPES[request.param]


@pytest.fixture
def site(recipe: Recipe, wheel: Path, tmp_path: Path, redis_url: str) -> Iterator[ForeignSite]:
    python = environment_with(recipe.packages, wheel)
    made = ForeignSite(tmp_path / "site", python, package=recipe.package, settings=recipe.settings, broker=redis_url)
    recipe.make(made)
    yield made
    made.stop()


def load(site: ForeignSite, pages: tuple[str, ...]) -> list[tuple[str, int]]:
    """The site's own pages from several clients at once; every answer."""

    def client(number: int) -> list[tuple[str, int]]:
        until, answers = time.monotonic() + LOAD_S, []
        while time.monotonic() < until:
            page = pages[(len(answers) + number) % len(pages)]
            answers.append((page, site.get(page)[0]))
        return answers

    with ThreadPoolExecutor(CLIENTS) as clients:
        return [answer for answers in clients.map(client, range(CLIENTS)) for answer in answers]


def test_a_site_of_others_is_watched_and_disturbed_in_nothing(site: ForeignSite, recipe: Recipe) -> None:
    site.add_memwatch(recipe.settings_file, catch_all=recipe.catch_all)
    site.manage("migrate", "-v0")
    site.manage("collectstatic", "--noinput", "-v0")
    site.start_all(recipe.beat)
    site.wait(lambda: site.get("/healthz")[0], lambda status: status == 200)
    answers = load(site, recipe.pages)
    assert len(answers) > CLIENTS
    assert {(page, status) for page, status in answers if status != 200} == set()

    site.wait(lambda: site.ask("watched")["watched"], lambda rows: [row[:2] for row in rows] == WATCHED)
    site.wait(lambda: site.ask("watched")["watched"], lambda rows: min(stored for *_names, stored in rows) >= 5)

    asked = site.ask("session", "addresses")
    session = asked["session"]
    opened = {address: site.get(address, session) for address in [*asked["addresses"], recipe.admin]}
    assert len(opened) > 50
    assert {address: answer for address, (answer, _page) in opened.items() if answer not in (200, 302, 405)} == {}
    _assert_whole({a: page for a, (status, page) in opened.items() if recipe.admin in a and status == 200}, site)

    doctor = json.loads(site.manage("memwatch_doctor", "--json"))
    assert [finding for finding in doctor if finding["ok"] is False] == []
    assert any("static files are found" in finding["text"] for finding in doctor)
    assert json.loads(site.get("/readyz")[1])["status"] == "ok"
    assert site.get("/metrics")[0] == 401

    site.stop()
    said = site.log.read_text()
    for trouble in TROUBLE:
        assert trouble not in said, said[-6000:]


def _assert_whole(pages: dict[str, str], site: ForeignSite) -> None:
    """Each page ends, keeps no tag of a template, and its static files have been collected."""
    root = site.folder / "static"
    for address, page in pages.items():
        assert page.rstrip().endswith("</html>"), address
        assert not re.search(r"\{%|\{\{|%\}", page), address
        for name in re.findall(r'(?:src|href)="/static/([^"?#]+)', page):
            assert (root / name).is_file(), f"{address} wants {name}"
