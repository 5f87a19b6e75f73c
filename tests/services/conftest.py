"""The transport of these tests: a real one, in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from memwatch.transport import Hub, open_hub, open_uplink
from memwatch.transport.wire import Report


@pytest.fixture
def transport_url(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a spool folder, also in the settings."""
    url = f"local://{tmp_path}/transport"
    monkeypatch.setenv("MEMWATCH_TRANSPORT", url)
    settings.MEMWATCH = {"SNAPSHOT_INTERVAL": 60}
    return url


@pytest.fixture
def hub(transport_url: str) -> Iterator[Hub]:
    """The server's end."""
    hub = open_hub(transport_url)
    yield hub
    hub.close()


@pytest.fixture
def send(transport_url: str) -> Iterator[Callable[..., None]]:
    """Send reports (or raw payloads) as agents do."""
    uplink = open_uplink(transport_url, "sender")

    def put(*reports: Report | bytes) -> None:
        for report in reports:
            uplink.send(report if isinstance(report, bytes) else report.encode())

    yield put
    uplink.close()
