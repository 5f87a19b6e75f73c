"""Lines of the documents for a site's settings and URLs, in a project as ``django-admin startproject`` makes it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import ROOT

_URLS = re.compile(r"\burlpatterns\b")
_IMPORTS = "import os\nfrom memwatch.schedule import beat_schedule\n"
_BASE = """\
import os

SECRET_KEY = "of a test"
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.messages", "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
ROOT_URLCONF = "lines_urls"
STATIC_URL = "static/"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "OPTIONS": {}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASE_ROUTERS = []
MEMWATCH = {}
"""
_URLCONF = """\
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls)]
"""


def check_settings(text: str, folder: Path) -> None:
    """Django's system check of a site with these lines, in a process in which warnings are errors."""
    urls = [line for line in text.splitlines() if _URLS.search(line)]
    others = [line for line in text.splitlines() if not _URLS.search(line)]
    needed = "" if '"memwatch"' in text else 'INSTALLED_APPS += ["memwatch"]\n'
    (folder / "lines.py").write_text("\n".join([_BASE, needed, _IMPORTS, *others, ""]))
    (folder / "lines_urls.py").write_text("\n".join([_URLCONF, *urls, ""]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEMWATCH_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "django", "check", "--fail-level", "ERROR"],
        cwd=folder,
        env=kept | {"DJANGO_SETTINGS_MODULE": "lines", "PYTHONPATH": f"{folder}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
