"""Takes much memory for a moment, and lives long enough to be watched: a command of a moment is not."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from worksite.hog import take


class Command(BaseCommand):
    """Prints how many KiB it took."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, default=15.0)

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(str(take()))
        time.sleep(options["seconds"])
