"""What a server says of itself is kept with its process."""

from __future__ import annotations

import pytest

from memwatch.models import Process
from memwatch.services.ingest import writer
from tests.reports import START, process, report, snapshot

pytestmark = pytest.mark.django_db


def test_the_last_word_is_kept() -> None:
    first = report(process(server_settings={"server": "celery"}), {0: snapshot()})
    later = report(process(server_settings={"server": "celery", "concurrency": 4}), {1: snapshot(60)})
    writer.store([first], now=START, interval_s=60.0)
    writer.store([later], now=START, interval_s=60.0)
    assert Process.objects.get().server_settings == {"server": "celery", "concurrency": 4}
