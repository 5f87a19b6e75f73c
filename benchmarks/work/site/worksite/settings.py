"""Settings of the site; what differs between programs comes from the environment."""

import os
from pathlib import Path

from worksite.program import PROGRAM

FOLDER = Path(os.environ["GUEST_FOLDER"])
SECRET_KEY = "work-work-work-work-work-work-work-work-work-work-work"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "memwatch", "worksite"]
ROOT_URLCONF = "worksite.views"
MIDDLEWARE = ["worksite.everyjob.traced"] if PROGRAM["every_job"] == "middleware" else []
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "site.sqlite3"}}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CELERY_BROKER_URL = os.environ.get("WORK_BROKER", "memory://")
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
