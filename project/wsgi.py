"""The WSGI application: ``gunicorn project.wsgi``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_wsgi_application()

from project.warm_up import load_routes, load_templates  # noqa: E402 - needs the settings

load_routes()
load_templates()
