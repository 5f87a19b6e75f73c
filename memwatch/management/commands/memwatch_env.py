"""``manage.py memwatch_env``: what another program needs so that it reports here."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from memwatch.conf import get_settings
from memwatch.launch import lines


class Command(BaseCommand):
    help = (
        "Prints the lines that another program needs to report here. They contain a key. With --service it is the key "
        "of that service, which signs commands to no other service. "
        "Examples: memwatch_env --service api --format kubernetes; "
        'eval "$(manage.py memwatch_env --service api)" before memwatch run -- uvicorn app:app. Exit code: 0.'
    )
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--service", metavar="NAME", default="", help="the service that the program belongs to")
        parser.add_argument(
            "--format", choices=tuple(lines.FORMATS), default="shell", help="what starts the program (default: shell)"
        )
        parser.add_argument(
            "--transport", metavar="URL", default="",
            help="the transport's address as the program sees it (default: TRANSPORT)",
        )  # fmt: skip

    def handle(self, *_args: Any, **options: Any) -> None:
        settings = get_settings()
        config = settings.agent_config()
        try:
            service = lines.service_name(options["service"]) if options["service"] else ""
            environment = lines.variables(config, service, options["transport"])
        except ValueError as error:
            raise CommandError(f"--service: {error}" if options["service"] else str(error)) from None
        if not options["transport"]:
            for note in lines.notes(config, settings.hub_url):
                self.stderr.write(f"memwatch: {note}")
        self.stdout.write(lines.FORMATS[options["format"]](environment), ending="")
