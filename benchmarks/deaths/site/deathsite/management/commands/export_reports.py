"""A long command: what the program of the benchmark wants of it is in a file."""

from typing import Any

from django.core.management.base import BaseCommand

from deathsite.deeds import wait_and_do


class Command(BaseCommand):
    """Does it and ends."""

    help = __doc__ or ""

    def handle(self, *args: Any, **options: Any) -> None:
        wait_and_do("export_reports")
