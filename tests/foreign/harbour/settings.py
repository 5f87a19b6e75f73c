"""The site ``harbour``, with its state below the folder ``SITE_FOLDER``."""

import os
from pathlib import Path

from memwatch.schedule import beat_schedule

FOLDER = Path(os.environ["SITE_FOLDER"])

DEBUG = False
SECRET_KEY = "a secret of the harbour alone, long enough for everybody"
ALLOWED_HOSTS = ["harbour.example.org", ".quay.example.org"]
USE_TZ = True
ROOT_URLCONF = "tests.foreign.harbour.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(FOLDER / "db.sqlite3")}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "memwatch",
]
MIDDLEWARE = [
    "tests.foreign.harbour.middleware.RoutesOfTheHost",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
MEMWATCH = {"TRANSPORT": f"local://{FOLDER}/transport", "SITE_URL": os.environ.get("SITE_URL", "")}
CELERY_BEAT_SCHEDULE = beat_schedule(MEMWATCH)
CELERY_BROKER_URL = "memory://"
