"""``manage.py memwatch_exporter``: the fleet's metrics from one process of their own."""

from __future__ import annotations

import os
import signal
import socket
from argparse import BooleanOptionalAction
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from memwatch.agent import own
from memwatch.conf import get_settings
from memwatch.management.stopping import on_signals
from memwatch.metrics.exporter import Exporter
from memwatch.metrics.otlp.config import ENDPOINT, ConfigError, config
from memwatch.metrics.server import DEFAULT_PORT, ListenError

if TYPE_CHECKING:
    from memwatch.metrics.otlp.sender import Sender


class Command(BaseCommand):
    help = (
        "Serves the metrics of all processes to Prometheus, until SIGINT or SIGTERM. With --otlp, or with "
        "OTEL_EXPORTER_OTLP_ENDPOINT in its environment, it also sends them to an OpenTelemetry collector. "
        "Examples: memwatch_exporter; memwatch_exporter --address 0.0.0.0 --port 9202; memwatch_exporter --otlp. "
        "Exit code: 0 if it was stopped, 1 if it cannot listen or cannot send."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--address", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
        parser.add_argument(
            "--port", type=int, default=DEFAULT_PORT, help="the port to listen on (default: %(default)s)"
        )
        parser.add_argument(
            "--interval",
            type=float,
            default=5.0,
            help="seconds between two readings of the database (default: %(default)s)",
        )
        parser.add_argument(
            "--max-age", type=float,
            help="seconds after which it serves memwatch_up 0 instead of figures that it could not refresh "
            "(default: three intervals, at least 15)",
        )  # fmt: skip
        parser.add_argument(
            "--otlp", action=BooleanOptionalAction, default=None,
            help="send metrics and events over OTLP (default: if OTEL_EXPORTER_OTLP_ENDPOINT is set)",
        )  # fmt: skip

    def handle(self, *_args: Any, **options: Any) -> None:
        own.declare()
        if not options["interval"] > 0:
            raise CommandError(f"--interval is {options['interval']:g}: give seconds above 0, e.g. 5")
        max_age = options["max_age"]
        if max_age is not None and not max_age >= options["interval"]:
            raise CommandError(f"--max-age is {max_age:g}: give at least the interval ({options['interval']:g})")
        with on_signals(signal.SIGINT, signal.SIGTERM) as stop:
            self._serve(stop, options, max_age)

    def _serve(self, stop: socket.socket, options: dict[str, Any], max_age: float | None) -> None:
        sender = self._sender(options["otlp"])
        try:
            exporter = Exporter(
                options["address"], options["port"], interval_s=options["interval"], max_age_s=max_age, sender=sender
            )
        except ListenError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"memwatch exporter: {exporter.url}")
        self.stdout.flush()  # what reads the log is to see it now
        stop.recv(1)
        exporter.stop()

    def _sender(self, wanted: bool | None) -> Sender | None:
        try:
            chosen = config(os.environ, wanted=wanted)
            if not chosen.anything:
                return None
            from memwatch.metrics.otlp.sender import Sender  # noqa: PLC0415 - its packages are an extra

            return Sender.of(chosen, namespace=get_settings().metrics_namespace)
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith(("opentelemetry", "grpc")):
                raise
            said = f"OTLP needs a package that is missing ({error.name}): pip install 'memwatch[otel]'"
            if wanted:
                raise CommandError(said) from None
            self.stderr.write(f"memwatch exporter: {said}. {ENDPOINT} is set; until then nothing is sent.")
            return None
        except (ConfigError, OSError, ValueError, RuntimeError) as error:
            raise CommandError(f"nothing can be sent over OTLP: {error}") from None
