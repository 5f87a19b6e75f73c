"""Programs of a foreign site, run as its people run them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Site:
    """A site with a state folder of its own."""

    def __init__(self, name: str, folder: Path, **environment: str) -> None:
        self.folder = folder
        kept = ("MEMWATCH_", "DJANGO_", "CELERY_", "SECRET_KEY")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(kept)},
            "DJANGO_SETTINGS_MODULE": f"tests.foreign.{name}.settings", "SITE_FOLDER": str(folder),
            "MEMWATCH_AGENT": "off", "TMPDIR": str(folder), "PYTHONPATH": str(ROOT), **environment,
        }  # fmt: skip

    def run(self, *arguments: str, code: int | None = 0) -> str:
        """Python with these arguments; what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert code is None or done.returncode == code, f"{arguments}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def manage(self, *command: str, code: int | None = 0) -> str:
        """``manage.py``."""
        return self.run("-m", "django", *command, code=code)

    def shell(self, code: str) -> str:
        """What these lines print, with Django set up."""
        return self.run("-c", f"import django; django.setup()\n{code}").strip()


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A database with every table, made once for each site and scheduler."""
    made: dict[str, Path] = {}

    def of(name: str, scheduler: str) -> Path:
        key = f"{name}-{scheduler}"
        if key not in made:
            folder = tmp_path_factory.mktemp(key)
            Site(name, folder, SITE_SCHEDULER=scheduler).manage("migrate", "-v", "0")
            made[key] = folder / "db.sqlite3"
        return made[key]

    return of


@pytest.fixture
def site(tmp_path: Path, databases: Callable[..., Path]) -> Callable[..., Site]:
    def make(name: str, *, migrated: bool = True, **environment: str) -> Site:
        if migrated:
            shutil.copy(databases(name, environment.get("SITE_SCHEDULER", "")), tmp_path)
        return Site(name, tmp_path, **environment)

    return make
