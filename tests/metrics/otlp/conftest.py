"""Receivers for the tests, and variables of the SDK that only a test sets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.metrics.otlp.receiver import Receiver

try:
    INSTALLED = find_spec("opentelemetry.exporter.otlp.proto.grpc") is not None
except ModuleNotFoundError:
    INSTALLED = False

collect_ignore_glob = [] if INSTALLED else ["test_*.py"]
"""Without the extra ``otel`` there is nothing to send with."""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture(params=["grpc", "http/protobuf"])
def receiver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A collector of both protocols in turn; the standard variables point at it."""
    from tests.metrics.otlp.receiver import RECEIVERS

    with RECEIVERS[request.param]() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", request.param)
        yield made
