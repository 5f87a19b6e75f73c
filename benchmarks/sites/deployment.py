"""One site with memwatch and the planted application: made once, started and stopped for each leak."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from benchmarks import servers
from benchmarks.sites.recipes import BenchmarkSite
from benchmarks.sites.truth import APP, PLANTED
from tests.servers import free_port
from tests.sites.foreign import ForeignSite, environment_with

MIGRATE_S = 1200.0
DEFAULT_INTERVAL_S = 60.0
USER = {"username": "operator@example.org", "password": "a long password 77"}
"""As ``tests/sites/inside.py`` makes it."""
PLANT = f"""
INSTALLED_APPS = [*INSTALLED_APPS, "{APP}"]
MIDDLEWARE = [*MIDDLEWARE, "{APP}.middleware.AuditTrail"]
"""


class Deployment:
    """A site, its servers and an API that looks from a process of its own, so looking costs the watched nothing."""

    def __init__(self, site: ForeignSite, recipe: BenchmarkSite, interval_s: float) -> None:
        self.site, self.recipe, self.interval_s = site, recipe, interval_s
        self.switch = site.folder.parent / "switch"
        self._looking_port = free_port()
        self._token = ""
        self._web = 0
        self._used = False

    def make(self) -> None:
        """The project, memwatch by the install guide's lines, the planted application, the tables."""
        site, recipe = self.site, self.recipe
        site.within_s = MIGRATE_S
        recipe.make(site)
        self._fill_database()
        shutil.copytree(PLANTED / APP, site.folder / APP)
        site.add_memwatch(recipe.settings_file, catch_all=recipe.catch_all, sqlite=not recipe.database)
        site.write(recipe.settings_file, PLANT)
        site.manage("migrate", "-v0")
        site.manage("collectstatic", "--noinput", "-v0")
        site.ask("session")

    def _fill_database(self) -> None:
        """With the site's own tables: as they were the last time, since large sites migrate for minutes."""
        if not self.recipe.database:
            return
        url, kept = self.site.environment["SITE_DATABASE"], self.site.python.parents[1] / "memwatch-bench.sql"
        if kept.exists():
            self.site.run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", kept, url)
            return
        self.site.manage("migrate", "-v0")
        dumped = kept.with_suffix(".part")
        self.site.run("pg_dump", "--no-owner", "--no-acl", "-f", dumped, url)
        dumped.rename(kept)

    def start(self, *, watched: bool = True) -> None:
        """All programs, with memwatch's tables as they are when it is new."""
        site = self.site
        self.switch.write_text("none")
        if self._used:
            self._drop_reports()
            site.manage("migrate", "memwatch", "zero", "-v0")
            site.manage("migrate", "memwatch", "-v0")
        self._used = True
        site.environment.pop("MEMWATCH_AGENT", None)
        if not watched:
            site.environment["MEMWATCH_AGENT"] = "off"
        self._web = site.start_all(self.recipe.beat)
        where = f"127.0.0.1:{self._looking_port}"
        looking = ("-b", where, "--threads", "2", "--timeout", "300")
        site.start("gunicorn", f"{site.package}.wsgi", *looking, environment={"MEMWATCH_AGENT": "off"})
        site.wait(lambda: site.get("/healthz")[0], lambda status: status in (200, 503))
        site.wait(lambda: self._ask("/api/v1/token/", USER)[0], lambda status: status == 200)
        self._token = str(self._ask("/api/v1/token/", USER)[1]["token"])

    def _drop_reports(self) -> None:
        """Those of the run before that nobody read: they would bring its processes into the new tables."""
        spool = Path(self.site.environment["TMPDIR"])
        shutil.rmtree(spool)
        spool.mkdir()

    def stop(self) -> None:
        """What :meth:`start` started."""
        self.site.stop()

    def web_workers(self) -> dict[int, tuple[float, float]]:
        """Seconds of CPU and RSS in MB of each."""
        found = {}
        with contextlib.suppress(psutil.Error):
            for worker in psutil.Process(self._web).children():
                found[worker.pid] = (sum(worker.cpu_times()[:2]), worker.memory_info().rss / 1e6)
        return found

    def get_page(self, path: str) -> int:
        """Of the site's own; the status."""
        return self.site.get(path)[0]

    def get(self, path: str) -> Any:
        """Of the API, e.g. ``leaks/``; ``None`` where it does not answer with one."""
        status, answer = self._ask(f"/api/v1/{path}")
        return answer if status < 300 else None

    def rows(self, path: str) -> list[dict[str, Any]]:
        """The first thousand of a list of the API."""
        answer = self.get(f"{path}{'&' if '?' in path else '?'}page_size=1000")
        return list(answer["results"]) if isinstance(answer, dict) else []

    def post(self, path: str, values: Mapping[str, Any]) -> tuple[int, Any]:
        """Status and answer."""
        return self._ask(f"/api/v1/{path}", values)

    def _ask(self, path: str, values: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Token {self._token}"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._looking_port}{path}", headers=headers,
            data=None if values is None else json.dumps(values).encode(),
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode(errors="replace")
        except (OSError, ValueError) as error:
            return 0, str(error)


@contextlib.contextmanager
def deployed(recipe: BenchmarkSite, wheel: Path, folder: Path, interval_s: float) -> Iterator[Deployment]:
    """A site that was made, with its servers; all of it is stopped at the end, however that comes."""
    with contextlib.ExitStack() as stack:
        broker = servers.redis()
        if broker is None:
            raise SystemExit("bench-sites: redis-server is not installed: apt-get install redis-server")
        stack.callback(broker.stop)
        broker.start()
        python = environment_with(recipe.packages, wheel)
        site = ForeignSite(
            folder / "site", python, package=recipe.package, settings=recipe.settings, broker=broker.url
        )  # fmt: skip
        stack.callback(site.stop)
        site.environment["SITEAUDIT_SWITCH"] = str(folder / "switch")
        site.environment["PYTHONPATH"] = str(site.folder)
        site.environment["MEMWATCH_SNAPSHOT_INTERVAL"] = f"{interval_s:g}"
        if interval_s == DEFAULT_INTERVAL_S:
            del site.environment["MEMWATCH_SNAPSHOT_INTERVAL"]
        if recipe.database:
            database = servers.postgres()
            if database is None:
                raise SystemExit("bench-sites: PostgreSQL is not installed: apt-get install postgresql")
            stack.callback(database.stop)
            database.start()
            site.environment["SITE_DATABASE"] = database.url
        made = Deployment(site, recipe, interval_s)
        made.make()
        yield made


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
    }
