"""memwatch, added by the README's lines to projects that others have written, served under load."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.servers import free_port
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


SLIM_SHARE = 0.75
"""The most that slim settings may take of the memory that the site's own take."""


def test_slim_settings_do_the_same_in_less_memory(site: ForeignSite, recipe: Recipe) -> None:
    site.add_memwatch(recipe.settings_file, catch_all=recipe.catch_all)
    slim = site.add_slim_settings()
    site.manage("migrate", "-v0")
    site.start("gunicorn", f"{recipe.package}.wsgi", "-b", f"127.0.0.1:{site.port}", "--access-logfile", "/dev/null")

    def stored() -> int:
        rows = site.ask("watched")["watched"]
        return sum(count for service, program, count in rows if (service, program) == ("web", "gunicorn worker"))

    memory, before = {}, 0
    for settings in (recipe.settings, slim):
        metrics = ("--metrics-port", str(free_port()))
        pid = site.start(
            "python", "manage.py", "memwatch_work", *metrics, environment={"DJANGO_SETTINGS_MODULE": settings}
        )
        before = site.wait(stored, lambda count, least=before + 10: count >= least)
        memory[settings] = psutil.Process(pid).memory_full_info().pss / 2**20
        site.end(pid)
    print({settings: round(mb) for settings, mb in memory.items()})  # noqa: T201 - for the one who runs it
    assert memory[slim] <= SLIM_SHARE * memory[recipe.settings]
    site.stop()
    said = site.log.read_text()
    assert [trouble for trouble in TROUBLE if trouble in said] == [], said[-6000:]


def _assert_whole(pages: dict[str, str], site: ForeignSite) -> None:
    """Each page ends, keeps no tag of a template, and its static files have been collected."""
    root = site.folder / "static"
    for address, page in pages.items():
        assert page.rstrip().endswith("</html>"), address
        assert not re.search(r"\{%|\{\{|%\}", page), address
        for name in re.findall(r'(?:src|href)="/static/([^"?#]+)', page):
            assert (root / name).is_file(), f"{address} wants {name}"
