#!/usr/bin/env python3
"""Django's command line for the deployment in ``project``."""

import os
import sys


def main() -> None:
    """Run the command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    try:
        from django.core.management import execute_from_command_line  # noqa: PLC0415
    except ImportError as error:
        raise SystemExit(f"{error}: run `make run`, or use .venv/bin/python manage.py …") from error
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        raise SystemExit(f"memwatch: {error}") from None


if __name__ == "__main__":
    main()
