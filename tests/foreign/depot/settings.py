"""The site ``depot``: its state is below the folder ``SITE_FOLDER``, or on ``SITE_POSTGRES`` and ``SITE_REDIS``.

The first of these is a port of the loopback, the second a URL without the number of a database.
"""

import os
from pathlib import Path

from memwatch.schedule import beat_schedule

FOLDER = Path(os.environ["SITE_FOLDER"])
POSTGRES, REDIS = os.environ.get("SITE_POSTGRES"), os.environ.get("SITE_REDIS")
DATABASE_SCHEDULER = os.environ.get("SITE_SCHEDULER") == "database"

DEBUG = False
SECRET_KEY = "a secret of the depot alone, long enough for everybody"
ALLOWED_HOSTS = ["depot.example.org"]
USE_TZ = True
ROOT_URLCONF = "tests.foreign.depot.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(FOLDER / "db.sqlite3")}}
if POSTGRES:
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "depot",
        "USER": "memwatch",
        "HOST": "127.0.0.1",
        "PORT": POSTGRES,
    }
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "chartkick.django",
    "memwatch",
    *(["django_celery_beat"] if DATABASE_SCHEDULER else []),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATIC_ROOT = FOLDER / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {"TITLE": "Depot", "VERSION": "1"}

CELERY_BROKER_URL = "filesystem://localhost"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": str(FOLDER / "queue"),
    "data_folder_out": str(FOLDER / "queue"),
    "control_folder": str(FOLDER / "control"),
}
for _folder in CELERY_BROKER_TRANSPORT_OPTIONS.values():
    Path(_folder).mkdir(exist_ok=True)
MEMWATCH = {"TRANSPORT": f"local://{FOLDER}/transport", "RECORDINGS_FOLDER": str(FOLDER / "recordings")}
if REDIS:
    CELERY_BROKER_URL, CELERY_BROKER_TRANSPORT_OPTIONS = f"{REDIS}/7", {}
    MEMWATCH["TRANSPORT"] = f"{REDIS}/8"
CELERY_BEAT_SCHEDULE = {
    "water": {"task": "depot.water_the_plants", "schedule": 3600.0},
    **beat_schedule(MEMWATCH),
}
