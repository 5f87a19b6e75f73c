"""A site of a few lines, made wrong in one way or another, and what its commands say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIFE = Path(__file__).parent / "life.py"
WITHIN_S = 120.0

SETTINGS = """\
from pathlib import Path

BASE_DIR = Path(__file__).parent
SECRET_KEY = "a key of the tests, for the tests alone, in the tests only"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
USE_TZ = True
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING = {
    "version": 1, "disable_existing_loggers": False, "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
DATABASES = {"default": {
    "ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3",
    "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"},
}}
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.messages", "django.contrib.staticfiles", "rest_framework", "rest_framework.authtoken",
    "django_filters", "chartkick.django", "memwatch",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
    "context_processors": [
        "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ],
}}]
MEMWATCH = {"TRANSPORT": f"local://{BASE_DIR}/transport"}
CELERY_BROKER_URL = "memory://"
"""
URLS = """\
from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path

urlpatterns = [
    path("", lambda request: HttpResponse("the site's own page")),
    path("admin/", admin.site.urls),
    path("", include("memwatch.urls")),
]
"""


class TinySite:
    """The site in a folder. ``settings`` and ``urls`` are added at the ends of its modules; ``database`` is copied."""

    def __init__(
        self, folder: Path, settings: str = "", urls: str = "", *, database: Path | None = None, **modules: str
    ) -> None:
        self.folder = folder
        if database is not None:
            shutil.copy(database, folder / "db.sqlite3")
        for name, text in {"settings": SETTINGS + settings, "urls": URLS + urls, **modules}.items():
            (folder / f"{name}.py").write_text(text)

    def run(
        self,
        *command: str | Path,
        optimize: str = "",
        environment: Mapping[str, str] | None = None,
        without: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[str]:
        """``python [-O] <command>`` in the site; packages named in ``without`` are not there."""
        return subprocess.run(
            [sys.executable, *([optimize] if optimize else []), *command],
            cwd=self.folder, env=self.environment(environment, without),
            capture_output=True, text=True, timeout=WITHIN_S, check=False,
        )  # fmt: skip

    def start(
        self, *command: str, environment: Mapping[str, str] | None = None, without: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        """A management command that runs on; what it says is in the file ``said`` of the site's folder."""
        with (self.folder / "said").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "django", *command],
                cwd=self.folder, env=self.environment(environment, without), stdout=said, stderr=said,
            )  # fmt: skip

    def environment(self, given: Mapping[str, str] | None, without: Sequence[str] = ()) -> dict[str, str]:
        """Of the site's programs."""
        if without:
            self._hide(without)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEMWATCH_", "DJANGO_"))}
        return {
            **kept, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONWARNINGS": "default",
            "MEMWATCH_AGENT": "off",  # on a slow machine a command would live long enough to report itself
            "PYTHONPATH": os.pathsep.join([str(self.folder / "hidden"), str(self.folder), str(ROOT)]),
            **(given or {}),
        }  # fmt: skip

    def manage(self, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """A management command."""
        return self.run("-m", "django", *command, **options)

    def live(self, *, arguments: Sequence[str] = (), **options: Any) -> dict[str, Any]:
        """What a site does with memwatch, from the first report to the pages: see ``life.py``."""
        done = self.run(LIFE, *arguments, **options)
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return {**told, "stderr": done.stderr}

    def _hide(self, packages: Sequence[str]) -> None:
        """Importing them fails as if they were not installed."""
        hidden = self.folder / "hidden"
        hidden.mkdir(exist_ok=True)
        (hidden / "sitecustomize.py").write_text(
            "import sys\n"
            "from importlib.machinery import PathFinder\n"
            "class Installed(PathFinder):\n"
            "    @classmethod\n"
            "    def find_spec(cls, name, path=None, target=None):\n"
            f"        hidden = name.partition('.')[0] in {tuple(packages)!r}\n"
            "        return None if hidden else PathFinder.find_spec(name, path, target)\n"
            "sys.meta_path[:] = [Installed if finder is PathFinder else finder for finder in sys.meta_path]\n"
        )
