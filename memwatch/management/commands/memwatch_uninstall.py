"""``manage.py memwatch_uninstall``: takes away what memwatch has left in a site."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from memwatch import formatting
from memwatch.services import audit, uninstall

AFTERWARDS = (
    "Now take memwatch's lines out of settings.py, celery.py and urls.py before the next migrate: with "
    '"memwatch" in INSTALLED_APPS it makes groups, permissions and content types again, and beat its timetable.'
)


class Command(BaseCommand):
    help = (
        "Removes memwatch from the site: periodic tasks of django-celery-beat, messages in its queue, files of "
        "recordings, tables, groups, permissions, content types, and the transport's folder or keys. Without --yes it "
        "only counts and changes nothing. Entries in Django's admin log and tokens of rest_framework.authtoken stay. "
        "Stop web, workers and beat first. "
        "Examples: memwatch_uninstall; memwatch_uninstall --yes. "
        "Exit code: 0; 1 if something could not be checked or removed."
    )
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="remove everything; this cannot be undone")

    def handle(self, *_args: Any, yes: bool, **_options: Any) -> None:
        alive = uninstall.watched()
        if alive:
            self.stdout.write(f"· {alive} processes are still watched: stop them, or they make some of it again")
        if yes:
            audit.at_terminal("memwatch_uninstall --yes.")
        failed = False
        for part in uninstall.parts():
            failed |= not self._told(part, yes=yes)
        self.stdout.write(AFTERWARDS if yes else "Nothing was changed. memwatch_uninstall --yes removes it.")
        if failed:
            raise SystemExit(1)

    def _told(self, part: uninstall.Part, *, yes: bool) -> bool:
        if part.problem:
            self.stdout.write(f"✗ {part.problem}")
            return False
        if yes and part.count:
            try:
                part.remove()
            except Exception as error:  # noqa: BLE001 - the other parts go all the same
                self.stdout.write(f"✗ {part.what}: {type(error).__name__}: {str(error)[:200]}")
                return False
        verb = "removed" if yes else "would be removed"
        self.stdout.write(f"{formatting.count(part.count):>8}  {part.what} {verb}")
        self.stdout.flush()
        return True
