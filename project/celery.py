"""The Celery application of the deployment."""

import logging
import os
from typing import Any

from celery import Celery, bootsteps
from celery.signals import worker_init

from memwatch.prefork import freeze
from project import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

logger = logging.getLogger(__name__)

broker.install()

app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

worker_init.connect(freeze)


class BeatGuard(bootsteps.StartStopStep):
    """With ``worker -B``: the worker ends when its beat has ended, so that its supervisor starts both again."""

    requires = ("celery.worker.components:Beat", "celery.worker.components:Timer")

    def start(self, parent: Any) -> None:
        """Look every two seconds."""
        if parent.beat is not None:
            parent.timer.call_repeatedly(2.0, self._look, (parent.beat,))

    def _look(self, beat: Any) -> None:
        from celery.worker import state  # noqa: PLC0415 - only in a worker

        if not beat.is_alive() and state.should_stop is None:
            logger.error("beat has ended (exit code %s): the worker ends too", beat.exitcode)
            state.should_stop = 1  # type: ignore[assignment]  # the exit code


app.steps["worker"].add(BeatGuard)
