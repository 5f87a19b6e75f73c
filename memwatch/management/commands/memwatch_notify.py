"""``manage.py memwatch_notify``: a message to every channel, to see whether it arrives."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from memwatch.services import audit, notifications
from memwatch.terminal.selection import TablesCommand


class Command(TablesCommand):
    help = (
        "Sends a test message to every channel of ALERT_CHANNELS, or to those named, and says whether it arrived. "
        "It stores nothing. Examples: memwatch_notify; memwatch_notify mailto:ops@example.org. "
        "Exit code: 0 if every message arrived, 1 if one did not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "channels", nargs="*", metavar="CHANNEL", help="a channel as this command lists it (default: all)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        known = notifications.known_channels()
        unknown = sorted(set(options["channels"]) - set(known))
        if unknown:
            raise CommandError(f"no channel {unknown[0]}: ALERT_CHANNELS has {', '.join(known) or 'none'}")
        if not known:
            raise CommandError('no channel is set: give MEMWATCH["ALERT_CHANNELS"], e.g. ["mailto:ops@example.org"]')
        failed = 0
        audit.at_terminal(f"Test message to {', '.join(options['channels'] or known)}.")
        for name, error in notifications.try_out(options["channels"] or known):
            failed += error is not None
            self.stdout.write(f"✓ {name}" if error is None else f"✗ {name}: {error}")
        if failed:
            raise SystemExit(1)
