"""The deployment's settings for the tests: a database and a transport folder of their own, no agent."""

import os
import tempfile

_folder = tempfile.mkdtemp(prefix="memwatch-tests-")
os.environ.setdefault("MEMWATCH_VAR", _folder)
os.environ.setdefault("MEMWATCH_TRANSPORT", f"local://{_folder}/transport")
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
