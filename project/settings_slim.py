"""Settings of the programs that serve no pages: Celery's worker and the exporter.

They do without the API, its documentation, the charts and static files; the admin is loaded where a link to it is made.
"""

from project.settings import *  # noqa: F403 - the same settings, but for what follows

INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "memwatch",
]
