"""A Django project of 60 applications with five models each, every model in the admin and with a form of its own."""

from __future__ import annotations

from pathlib import Path

APPS, MODELS = 60, 5

_MODELS = """\
from django.db import models

{classes}
"""
_MODEL = """\
class {name}(models.Model):
    title = models.CharField("Title of the {name}", max_length=200, help_text="What people call it")
    slug = models.SlugField(unique=True)
    state = models.CharField(max_length=20, choices=[("new", "New"), ("open", "Open"), ("closed", "Closed")])
    amount = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    notes = models.TextField(blank=True)
    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)
    owner = models.ForeignKey("auth.User", models.CASCADE, related_name="+")
    parent = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="children")

    class Meta:
        indexes = [models.Index(fields=["state", "created"])]
        permissions = [("close_{lower}", "Can close {lower}")]

    def __str__(self) -> str:
        return self.title
"""
_ADMIN = """\
from django import forms
from django.contrib import admin

from {app} import models


def register(model):
    class Form(forms.ModelForm):
        class Meta:
            fields = "__all__"

    Form.Meta.model = model

    @admin.register(model)
    class Admin(admin.ModelAdmin):
        form = forms.modelform_factory(model, fields="__all__")
        list_display = ["title", "state", "amount", "owner"]
        list_filter = ["state"]
        search_fields = ["title", "notes"]


for each in ({names}):
    register(getattr(models, each))
"""
SETTINGS = """\
from pathlib import Path

from memwatch.schedule import beat_schedule

FOLDER = Path(__file__).parent
SECRET_KEY = "only for a benchmark, long enough for everybody to use"
USE_TZ = True
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "db.sqlite3"}}
OWN = [f"section{number}" for number in range(@APPS)]
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.messages", "django.contrib.staticfiles", *OWN, "memwatch",
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
STATIC_URL = "/static/"
CELERY_BROKER_URL = "filesystem://localhost"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": str(FOLDER / "queue"), "data_folder_out": str(FOLDER / "queue"),
    "control_folder": str(FOLDER / "control"),
}
for _folder in CELERY_BROKER_TRANSPORT_OPTIONS.values():
    Path(_folder).mkdir(exist_ok=True)
MEMWATCH = {"TRANSPORT": f"local://{FOLDER}/transport", "RECORDINGS_FOLDER": str(FOLDER / "recordings")}
CELERY_BEAT_SCHEDULE = {**beat_schedule(MEMWATCH)}
"""
SLIM = """\
from settings import *

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "memwatch"]
MIDDLEWARE, TEMPLATES = [], []
ROOT_URLCONF = "urls_slim"
"""
PLAIN = """\
from settings import *

INSTALLED_APPS = [each for each in INSTALLED_APPS if each != "memwatch"]
ROOT_URLCONF = "urls_plain"
"""
WSGI = """\
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""
URLS_PLAIN = """\
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
"""
CELERY = """\
from celery import Celery

app = Celery("big")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""
URLS = """\
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("", include("memwatch.urls"))]
"""
MANAGE = """\
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
"""


def generate(folder: Path) -> None:
    """Write the project."""
    for number in range(APPS):
        app = folder / f"section{number}"
        app.mkdir()
        (app / "__init__.py").touch()
        names = [f"Thing{number}X{each}" for each in range(MODELS)]
        classes = "\n\n".join(_MODEL.format(name=name, lower=name.lower()) for name in names)
        (app / "models.py").write_text(_MODELS.format(classes=classes))
        (app / "admin.py").write_text(_ADMIN.format(app=app.name, names=", ".join(map(repr, names))))
    settings = SETTINGS.replace("@APPS", str(APPS))
    files = {
        "settings": settings, "settings_slim": SLIM, "settings_plain": PLAIN, "celery_app": CELERY, "wsgi": WSGI,
        "urls": URLS, "urls_plain": URLS_PLAIN, "urls_slim": "urlpatterns = []\n", "manage": MANAGE,
    }  # fmt: skip
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
