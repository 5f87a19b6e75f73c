"""The deployment's settings for the tests: a database and a transport folder of their own, no agent.

Each of pytest-xdist's workers has its own as well; the processes that its tests start share them with it.
"""

import atexit
import os
import shutil
import tempfile

_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if os.environ.get("MEMWATCH_TESTS_OF", _worker) != _worker:
    for _name in ("MEMWATCH_VAR", "MEMWATCH_TRANSPORT"):
        os.environ.pop(_name, None)
os.environ["MEMWATCH_TESTS_OF"] = _worker


def _remove(folder: str, maker: int) -> None:
    """Not when a fork of ours ends."""
    if os.getpid() == maker:
        shutil.rmtree(folder, ignore_errors=True)


if "MEMWATCH_VAR" not in os.environ:
    os.environ["MEMWATCH_VAR"] = _folder = tempfile.mkdtemp(prefix="memwatch-tests-")
    atexit.register(_remove, _folder, os.getpid())
os.environ.setdefault("MEMWATCH_TRANSPORT", f"local://{os.environ['MEMWATCH_VAR']}/transport")
os.environ.setdefault("SECRET_KEY", "tests-only-tests-only-tests-only-tests-only-tests-only")

from project.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
if "sqlite" in DATABASES["default"]["ENGINE"]:  # noqa: F405
    # Said, as pytest-django does not know django-prometheus' backend for SQLite and would make a file of it.
    DATABASES["default"]["TEST"] = {"NAME": ":memory:"}  # noqa: F405
