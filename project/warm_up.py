"""What every worker needs sooner or later, loaded before the first request.

Django compiles a template when a page first needs it, so a worker grows page by page while somebody walks through the
admin: a warm-up that looks like a leak as long as the walk lasts. Here it comes all at once, before gunicorn forks: all
workers share it, and the first visitor of each page waits less.
"""

from __future__ import annotations

import logging
from pathlib import Path

from django.db.migrations.loader import MigrationLoader
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.template.utils import get_app_template_dirs
from django.urls import reverse

logger = logging.getLogger(__name__)

FOLDERS = ("admin", "registration", "memwatch")


def load_routes() -> None:
    """Import every view, by asking for an address, and the migrations, which health checks read."""
    reverse("admin:index")
    MigrationLoader(None)


def load_templates() -> int:
    """Compile the pages of the admin; how many. One that fails is left to the page that needs it."""
    loaded = 0
    for root in map(Path, get_app_template_dirs("templates")):
        for folder in FOLDERS:
            for file in sorted((root / folder).rglob("*.html")):
                try:
                    get_template(file.relative_to(root).as_posix())
                except (TemplateDoesNotExist, TemplateSyntaxError) as error:
                    logger.debug("%s is not loaded ahead: %s", file, error)
                else:
                    loaded += 1
    return loaded
