"""Settings of the site; what differs between programs comes from the environment."""

import os
from pathlib import Path

FOLDER = Path(os.environ["GUEST_FOLDER"])
SECRET_KEY = "deaths-deaths-deaths-deaths-deaths-deaths-deaths-deaths"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "memwatch", "deathsite"]
ROOT_URLCONF = "deathsite.urls"
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "site.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CELERY_BROKER_URL = os.environ.get("DEATHS_BROKER", "memory://")
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
