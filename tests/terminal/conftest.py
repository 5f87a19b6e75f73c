"""Running a management command as a user would, in this process."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from memwatch.conf import get_settings
from memwatch.services.ingest.reader import ingest_reports
from memwatch.transport import open_hub, open_uplink
from tests.reports import process, report, snapshot
from tests.services.agents import TestAgent


@dataclasses.dataclass(frozen=True)
class Ran:
    """What a command has said, and its exit code."""

    out: str
    err: str
    code: int


@pytest.fixture
def run(db: None) -> Callable[..., Ran]:
    def command(name: str, *arguments: str) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        code = 0
        try:
            call_command(name, *arguments, stdout=out, stderr=err)
        except SystemExit as left:
            code = int(left.code or 0)
        return Ran(out.getvalue(), err.getvalue(), code)

    return command


@pytest.fixture
def answering(db: None, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A process web-1 that reports to a transport of its own and obeys commands; the transport's URL."""
    url = f"local://{tmp_path}/transport"
    monkeypatch.setenv("MEMWATCH_TRANSPORT", url)
    settings.MEMWATCH = {"SNAPSHOT_INTERVAL": 60}
    hub = open_hub(url)
    uplink = open_uplink(url, "sender")
    uplink.send(report(process(os.getpid(), host=get_settings().host), {0: snapshot()}).encode())
    uplink.close()
    ingest_reports(hub=hub)
    hub.close()
    me = process(os.getpid(), host=get_settings().host)
    with TestAgent(url, get_settings().command_key, me, lambda: snapshot(500, rss_mb=123.0)):
        yield url
