"""The sites: two that the tests know, and two with large heaps."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from urllib.parse import urlsplit

from tests.sites.foreign import ForeignSite
from tests.sites.recipes import RECIPES, Recipe

MANAGE = """\
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings}")
execute_from_command_line(sys.argv)
"""
WSGI = """\
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{settings}")
application = get_wsgi_application()
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchmarkSite(Recipe):
    """A recipe, and what it needs of the machine."""

    database: bool = False
    """PostgreSQL, whose address is in the environment as ``SITE_DATABASE``."""


def database_of(site: ForeignSite) -> str:
    """The settings' entry for the database that was started for it."""
    parts = urlsplit(site.environment["SITE_DATABASE"])
    return (
        f'{{"ENGINE": "django.db.backends.postgresql", "NAME": "{parts.path[1:]}", "USER": "{parts.username}", '
        f'"HOST": "{parts.hostname}", "PORT": "{parts.port}"}}'
    )


def _project(site: ForeignSite, settings: str) -> None:
    site.write("__init__.py", "")
    site.write("wsgi.py", WSGI.format(settings=settings))
    (site.folder / "manage.py").write_text(MANAGE.format(settings=settings))


def nautobot(site: ForeignSite) -> None:
    """Nautobot, its configuration as its guide has it; the module below does what its own loader does."""
    _project(site, "mysite.settings")
    site.write(
        "config.py",
        f"""import os
from nautobot.core.settings import *
NAUTOBOT_ROOT = {str(site.folder)!r}
SECRET_KEY = "only for the benchmark, which serves the loopback alone, 77 letters or more are asked for"
ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES = {{"default": {database_of(site)}}}
GIT_ROOT, JOBS_ROOT, MEDIA_ROOT, STATIC_ROOT = (
    os.path.join(NAUTOBOT_ROOT, name) for name in ("git", "jobs", "media", "static")
)
CACHES = {{"default": {{"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "{site.broker}"}}}}
CELERY_TASK_DEFAULT_QUEUE = "celery"
INSTALLATION_METRICS_ENABLED = False
INSTALLED_APPS, MIDDLEWARE = list(INSTALLED_APPS), list(MIDDLEWARE)
ROOT_URLCONF = "mysite.urls"
""",
    )
    site.write(
        "settings.py",
        """import sys
sys.modules["nautobot_config"] = sys.modules[__name__]
from mysite.config import *
from nautobot.core.cli import _preprocess_settings
_preprocess_settings(sys.modules[__name__], __file__)
""",
    )
    site.write("urls.py", "from nautobot.core.urls import *")


def pulp(site: ForeignSite) -> None:
    """Pulp's API with five of its content plugins."""
    _project(site, "pulpcore.app.settings")
    for name in ("media", "tmp", "assets"):
        (site.folder / name).mkdir()
    key = site.folder / "database_fields.symmetric.key"
    key.write_text(
        site.run(site.python, "-c", "from cryptography.fernet import Fernet as F;print(F.generate_key().decode())")
    )
    site.environment["PULP_SETTINGS"] = str(site.folder / "mysite" / "local.py")
    site.write(
        "config.py",
        f"""SECRET_KEY = "only for the benchmark, which serves the loopback alone"
DATABASES = {{"default": {database_of(site)}}}
DB_ENCRYPTION_KEY = {str(key)!r}
DEPLOY_ROOT = {str(site.folder)!r}
MEDIA_ROOT, STATIC_ROOT, WORKING_DIRECTORY, FILE_UPLOAD_TEMP_DIR = (
    DEPLOY_ROOT + "/" + name for name in ("media", "assets", "tmp", "tmp")
)
CONTENT_ORIGIN = "http://127.0.0.1:1"
ANALYTICS = False
PULP_HAS = ["rest_framework", "django_filters", "drf_spectacular"]
INSTALLED_APPS, MIDDLEWARE = ["django.contrib.admin", *PULP_HAS], []
ROOT_URLCONF = "mysite.urls"
""",
    )
    site.write(
        "local.py",
        """from mysite.config import *
dynaconf_merge = True
INSTALLED_APPS = [app for app in INSTALLED_APPS if app not in PULP_HAS]
""",
    )
    site.write("urls.py", "from pulpcore.app.urls import *")


def label_studio(site: ForeignSite) -> None:
    """Label Studio, whose modules are found from its own folder."""
    _project(site, "mysite.settings")
    found = site.run(site.python, "-c", "from importlib.util import find_spec as f;print(f('label_studio').origin)")
    site.environment["PYTHONPATH"] += f"{os.pathsep}{Path(found.strip()).parent}"
    data = site.folder / "data"
    data.mkdir()
    silent = {"COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false"}
    silent |= {"SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": ""}
    site.environment |= {"LABEL_STUDIO_BASE_DATA_DIR": str(data), "DJANGO_DB": "sqlite", **silent}
    site.write(
        "settings.py",
        f"""from core.settings.base import *
from core.settings.label_studio import *
DATABASES = {{"default": {database_of(site)}}}
INSTALLED_APPS, MIDDLEWARE = list(INSTALLED_APPS), list(MIDDLEWARE)
ROOT_URLCONF = "mysite.urls"
STATIC_ROOT = {str(site.folder / "static")!r}
""",
    )
    site.write("urls.py", "from core.urls import *")


def _benchmarked(recipe: Recipe) -> BenchmarkSite:
    return BenchmarkSite(**{field.name: getattr(recipe, field.name) for field in dataclasses.fields(Recipe)})


SITES = {
    "wagtail": _benchmarked(RECIPES["wagtail"]),
    "oscar": _benchmarked(RECIPES["oscar"]),
    "nautobot": BenchmarkSite(
        packages=("nautobot",), make=nautobot, database=True, settings_file="config.py",
        pages=("/login/", "/login/?next=/dcim/devices/"), catch_all=True,
        beat=("--scheduler", "memwatch.beat:SteadyScheduler"),  # its own runs nothing but Nautobot's jobs
    ),
    "labelstudio": BenchmarkSite(
        packages=("label-studio", "celery[redis]<5.6"),  # it wants a client of Redis that later ones refuse
        make=label_studio, database=True, pages=("/user/login/", "/version/"), catch_all=True,
    ),
    "pulp": BenchmarkSite(
        packages=("pulpcore", "pulp-rpm", "pulp-container", "pulp-ansible", "pulp-python", "pulp-deb"),
        make=pulp, database=True, settings="pulpcore.app.settings", settings_file="config.py",
        pages=("/pulp/api/v3/status/", "/pulp/api/v3/"), catch_all=True,
    ),
}  # fmt: skip
