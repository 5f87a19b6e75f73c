"""What memwatch's commands share."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from memwatch.models import connection


class TablesCommand(BaseCommand):
    """A command that works with memwatch's tables, and says in one line what to do where they are not there."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except DatabaseError:
            obstacle = connection.obstacle()
            if obstacle is None:
                raise
            raise CommandError(f"{obstacle[0].upper()}{obstacle[1:]}.") from None
