"""Sites that are not as memwatch would like them: each works, or says in one line what to do."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.deployment.life import LEAK, SNAPSHOTS, TASKS
from tests.deployment.tiny import TinySite

pytestmark = pytest.mark.deployment

SET_UP = "import django; django.setup(); "
TO_DO = "migration(s) of memwatch: run manage.py migrate"

OPS_DATABASE = """
DATABASES["ops"] = {**DATABASES["default"], "NAME": BASE_DIR / "ops.sqlite3"}
DATABASE_ROUTERS = ["routing.Router"]
"""
OWN_USERS = '''\
import uuid

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class People(BaseUserManager):
    def create_superuser(self, email, password):
        person = self.model(email=email, is_staff=True, is_superuser=True)
        person.set_password(password)
        person.save()
        return person


class Person(AbstractBaseUser, PermissionsMixin):
    """No username, and no number for a key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    email = models.EmailField(unique=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    USERNAME_FIELD = "email"
    objects = People()

    class Meta:
        app_label = "people"
'''


def assert_works(told: dict[str, Any]) -> None:
    """Reports were stored, the leak was found, every page opened, an operator acted and was deleted."""
    assert told["failed"] == []
    assert (told["snapshots"], told["leaks"]) == (SNAPSHOTS, [LEAK])
    wrong = {address: status for address, status in told["opened"].items() if status not in (200, 302)}
    assert wrong == {}
    assert len(told["opened"]) > 50
    assert set(told["acted"].values()) <= {200, 302}
    assert "Traceback" not in told["stderr"]


def test_users_may_be_of_another_model_and_asserts_and_docstrings_left_out(tmp_path: Path) -> None:
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "__init__.py").touch()
    (tmp_path / "people" / "models.py").write_text(OWN_USERS)
    site = TinySite(tmp_path, "INSTALLED_APPS += ['people']\nAUTH_USER_MODEL = 'people.Person'\n")
    assert site.manage("makemigrations", "people").returncode == 0
    assert site.manage("migrate", "-v0").stderr == ""
    assert_works(site.live(optimize="-OO"))


def test_an_admin_site_of_ones_own_gets_the_pages_too(tmp_path: Path, migrated: Path) -> None:
    lines = """
from django.contrib.admin import AdminSite
from memwatch.admin import register

ops = AdminSite(name="ops")
register(ops)
urlpatterns[1] = path("ops/", ops.urls)
"""
    site = TinySite(tmp_path, urls=lines, database=migrated)
    told = site.live()
    assert_works(told)
    assert told["opened"]["/ops/memwatch/overview/"] == 200
    assert "✓ admin: /ops/memwatch/overview/" in site.manage("memwatch_doctor").stdout


def test_a_router_may_send_everything_to_another_database(tmp_path: Path) -> None:
    router = """
class Router:
    def db_for_read(self, model, **hints):
        return "ops"

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return db == "ops"
"""
    site = TinySite(tmp_path, OPS_DATABASE, routing=router)
    for alias in ("default", "ops"):
        assert site.manage("migrate", "-v0", "--database", alias).stderr == ""
    assert_works(site.live())


def test_without_its_tables_everything_says_which_command_makes_them(tmp_path: Path) -> None:
    site = TinySite(tmp_path)
    _migrate_without_memwatch(site)
    _assert_told(site)
    _assert_commands_told(site)
    assert site.manage("migrate", "-v0").stderr == ""
    assert site.run("-c", f"{SET_UP}from memwatch import tasks; tasks.ingest_reports()").stderr == ""
    count = f"{SET_UP}from memwatch.models import Snapshot; print(Snapshot.objects.count())"
    assert site.run("-c", count).stdout == f"{SNAPSHOTS}\n", "what had been reported before is stored now"


@pytest.mark.postgres
def test_without_its_tables_it_says_so_inside_a_request_s_transaction_too(tmp_path: Path, postgres_url: str) -> None:
    """PostgreSQL answers nothing more in a transaction after an error."""
    parts = urlsplit(postgres_url)
    database = {
        "ENGINE": "django.db.backends.postgresql", "NAME": parts.path[1:], "USER": parts.username or "",
        "HOST": parts.hostname or "", "PORT": str(parts.port or ""), "ATOMIC_REQUESTS": True,
    }  # fmt: skip
    site = TinySite(tmp_path, f"DATABASES = {{'default': {database!r}}}\n")
    _migrate_without_memwatch(site)
    _assert_told(site)


def _migrate_without_memwatch(site: TinySite) -> None:
    bare = "INSTALLED_APPS.remove('memwatch')\nROOT_URLCONF = 'before'\nurlpatterns = []\n"
    (site.folder / "before.py").write_text(f"from settings import *\n{bare}")
    assert site.manage("migrate", "-v0", environment={"DJANGO_SETTINGS_MODULE": "before"}).stderr == ""


def test_tables_of_an_older_version_are_told(tmp_path: Path, migrated: Path) -> None:
    site = TinySite(tmp_path, database=migrated)
    with contextlib.closing(sqlite3.connect(tmp_path / "db.sqlite3")) as database, database:
        for table in ("leak", "process", "lease"):
            database.execute(f"ALTER TABLE memwatch_{table} RENAME TO later_{table}")
        later = "app = 'memwatch' AND (name >= '0020' OR name LIKE '%squashed%')"
        database.execute(f"DELETE FROM django_migrations WHERE {later}")
    _assert_told(site)


def _assert_told(site: TinySite) -> None:
    told = site.live(arguments=("--without-tables",))
    assert told["failed"] == []
    assert told["opened"]["/admin/memwatch/overview/"] == told["opened"]["/api/v1/leaks/"] == 503
    assert {status for status in told["opened"].values() if status >= 400} == {503}
    for address, page in told["said"].items():
        assert address == "/readyz" or TO_DO in page.replace("&#x27;", "'"), address
    assert "Traceback" not in told["stderr"]
    for task in TASKS:
        line = rf"^memwatch: {task} does nothing: database 'default' has \d+ unapplied {re.escape(TO_DO)}$"
        assert re.search(line, told["stderr"], re.MULTILINE)
    assert list((site.folder / "transport").rglob("*")), "the reports wait"


def _assert_commands_told(site: TinySite) -> None:
    top = site.manage("memwatch_top", "--once")
    assert top.returncode == 1
    assert re.fullmatch(rf"CommandError: Database 'default' has \d+ unapplied {re.escape(TO_DO)}\.\n", top.stderr)
    doctor = site.manage("memwatch_doctor")
    assert doctor.returncode == 1
    assert "migration(s) of memwatch\n  → Run manage.py migrate." in doctor.stdout


def test_without_celery_the_site_runs_and_is_told_what_lacks(tmp_path: Path, migrated: Path) -> None:
    site = TinySite(tmp_path, database=migrated)
    without = ("celery", "kombu")
    checked = site.manage("check", "--database", "default", without=without)
    assert checked.returncode == 0
    assert "memwatch_work does not run: no report is stored" in checked.stderr
    assert 'install "memwatch[django]"' in checked.stderr
    doctor = site.manage("memwatch_doctor", without=without)
    assert "✗ nothing runs memwatch's timetable" in doctor.stdout
    assert "→ Start manage.py memwatch_work, which needs no Celery." in doctor.stdout
    assert "Traceback" not in doctor.stderr
    page = f"{SET_UP}from django.test import Client; print(Client().get('/').status_code)"
    assert site.run("-c", page, without=without).stdout == "200\n"


def test_a_route_before_memwatch_s_and_a_celery_application_not_imported_are_told(tmp_path: Path) -> None:
    everything = """
from django.urls import re_path

urlpatterns.insert(2, re_path("", lambda request: HttpResponse("a page of the site's"), name="any-page"))
"""
    doctor = TinySite(tmp_path, urls=everything).manage("memwatch_doctor").stdout
    assert "✗ API: /api/v1/stats/ is taken by another route of the site, any-page" in doctor
    assert '→ Put path("", include("memwatch.urls")) before it in urls.py.' in doctor
    assert "✓ admin: /admin/memwatch/overview/" in doctor
    assert "✗ the site's settings load no Celery application" in doctor
    assert "broker" not in doctor.replace("the doctor cannot find broker and workers", "")


def test_a_wrong_transport_stops_the_start_with_what_would_be_right(tmp_path: Path) -> None:
    checked = TinySite(tmp_path, "MEMWATCH = {'TRANSPORT': 'local://relative/folder'}\n").manage("check")
    assert checked.returncode == 1
    assert 'MEMWATCH["TRANSPORT"] is local://relative/folder' in checked.stderr
    assert '"local:///a/folder" or "redis://host:6379/0"' in checked.stderr
    assert "Traceback" not in checked.stderr


def test_a_transport_that_nobody_answers_fails_no_page(tmp_path: Path, migrated: Path) -> None:
    site = TinySite(tmp_path, "MEMWATCH = {'TRANSPORT': 'redis://127.0.0.1:1/0'}\n", database=migrated)
    told = site.live(arguments=("--without-reports",))
    assert {status for status in told["opened"].values() if status not in (200, 302)} == set()
    assert all("127.0.0.1:1" in line for line in told["failed"]), told["failed"]
    doctor = site.manage("memwatch_doctor")
    assert "✗ transport redis://127.0.0.1:1/0" in doctor.stdout


def test_times_without_zones_stop_the_start(tmp_path: Path, migrated: Path) -> None:
    site = TinySite(tmp_path, "USE_TZ = False\n", database=migrated)
    checked = site.manage("check")
    assert checked.returncode == 1
    assert "USE_TZ is off, and memwatch's times have a zone\n\tHINT: Set USE_TZ = True." in checked.stderr
    told = site.live(arguments=("--without-tables",))
    assert told["failed"] == []
    assert "memwatch: detect_leaks does nothing: USE_TZ is off" in told["stderr"]
    assert "set USE_TZ = True" in told["said"]["/admin/memwatch/overview/"]
    assert "Traceback" not in told["stderr"]
