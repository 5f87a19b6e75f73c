"""Settings of the guest; what differs between the tests comes from the environment."""

import os
from pathlib import Path

FOLDER = Path(os.environ["GUEST_FOLDER"])
SECRET_KEY = "guest-guest-guest-guest-guest-guest-guest-guest-guest"
DEBUG = os.environ.get("GUEST_DEBUG") == "1"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "memwatch", "guest"]
ROOT_URLCONF = "guest.urls"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "guest.sqlite3",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MEMWATCH = {"COMMAND_KEY": "guest-key"}

if os.environ.get("GUEST_TASKS") == "1":
    INSTALLED_APPS += ["django_tasks_db"]
    TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

CELERY_BROKER_URL = os.environ.get("GUEST_BROKER", "filesystem://")
CELERY_TASK_ACKS_LATE = os.environ.get("GUEST_ACKS_LATE") == "1"
if CELERY_BROKER_URL == "filesystem://":
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(FOLDER / "queue"),
        "data_folder_out": str(FOLDER / "queue"),
        "control_folder": str(FOLDER / "control"),
    }
    for _folder in CELERY_BROKER_TRANSPORT_OPTIONS.values():
        Path(_folder).mkdir(parents=True, exist_ok=True)
CELERY_TASK_IGNORE_RESULT = True
CELERY_BEAT_SCHEDULE_FILENAME = str(FOLDER / "beat-schedule")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
