"""The ASGI application: ``uvicorn project.asgi:application``."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_asgi_application()

from project.warm_up import load_templates  # noqa: E402 - needs the settings

load_templates()
