"""``manage.py memwatch_work``: memwatch's timetable in one process, without Celery."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from memwatch.agent import own, work_counters
from memwatch.management.stopping import on_signals
from memwatch.models import connection
from memwatch.timetable import runner, steps

if TYPE_CHECKING:
    from memwatch.metrics.exporter import Exporter

log = logging.getLogger("memwatch")


class Command(BaseCommand):
    help = (
        "Runs memwatch's timetable without Celery, until SIGINT or SIGTERM: stores reports, looks for leaks, "
        "raises alerts, deletes old rows. "
        "Two of them, or one beside beat, do no harm: each step runs only once at a time. "
        "Examples: memwatch_work; memwatch_work --metrics-port 9202; "
        "memwatch_work --tick-file /tmp/memwatch-tick; memwatch_work --once (from a timer). "
        "Exit code: 0 if it was stopped, or with --once if all went well; 1 with --once if a step failed or the tables "
        "do not exist."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="run what is due and exit, for a timer that starts the command every minute",
        )
        parser.add_argument(
            "--tick-file", type=Path, metavar="FILE",
            help="touch this file after each step, for a health check; steps come at least every 20 s",
        )  # fmt: skip
        parser.add_argument(
            "--metrics-port", type=int, metavar="PORT",
            help="serve the metrics of all processes here too, as memwatch_exporter does (needs prometheus-client)",
        )  # fmt: skip
        parser.add_argument(
            "--metrics-address",
            default="127.0.0.1",
            metavar="ADDRESS",
            help="the address to listen on with --metrics-port (default: %(default)s)",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        own.declare()
        work_counters.expect_tasks()
        steps.warm_up()
        if options["once"]:
            self._once()
        else:
            exporter = self._exporter(options["metrics_address"], options["metrics_port"])
            try:
                self._until_stopped(options["tick_file"])
            finally:
                if exporter is not None:
                    exporter.stop()

    def _once(self) -> None:
        obstacle = connection.obstacle()
        if obstacle is not None:
            raise CommandError(obstacle)
        try:
            failed = runner.run_once()
        except DatabaseError as error:
            raise CommandError(f"the database does not answer: {error}") from None
        if failed:
            raise CommandError(f"failed: {', '.join(failed)}. The log says why")

    def _exporter(self, address: str, port: int | None) -> Exporter | None:
        if port is None:
            return None
        try:
            from memwatch.metrics.exporter import Exporter  # noqa: PLC0415 - prometheus-client is an extra
            from memwatch.metrics.server import ListenError  # noqa: PLC0415
        except ImportError:
            raise CommandError("--metrics-port wants prometheus-client: pip install 'memwatch[prometheus]'") from None
        try:
            exporter = Exporter(address, port)
        except ListenError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"memwatch exporter: {exporter.url}")
        return exporter

    def _until_stopped(self, tick_file: Path | None) -> None:
        every = runner.every_s()
        with on_signals(signal.SIGINT, signal.SIGTERM) as stop:
            self.stdout.write(f"memwatch work: {len(every)} steps in this process")
            self.stdout.flush()  # what reads the log is to see it now
            try:
                ages = runner.ages_s()
            except DatabaseError as error:
                log.warning("memwatch: all steps begin now: the database does not say when they last ran: %s", error)
                ages = {}
            unfinished = runner.Runner(steps.STEPS, every, tick_file=tick_file).run(stop, ages)
        if unfinished:
            log.warning("memwatch: stopped amid %s: the next run goes on with it", ", ".join(unfinished))
        self.stdout.write("memwatch work: stopped")
