"""The settings of a server in a report: they arrive as they were sent, and nothing hostile gets through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from memwatch.records.server_settings import DECLARED
from memwatch.transport.wire import Report, WireError
from tests.reports import process, report

FULL = {
    name: {int: 3, str: "prefork", bool: True}[declared.type]  # type: ignore[index]  # the three types that there are
    for name, declared in DECLARED.items()
}


def test_settings_arrive_as_they_were_sent() -> None:
    assert Report.decode(report(process(server_settings=FULL)).encode()).process.server_settings == FULL


def sent(settings: Any) -> bytes:
    value = json.loads(report(process(server_settings=FULL)).encode())
    value["process"]["server_settings"] = settings
    return json.dumps(value).encode()


@pytest.mark.parametrize("settings", [None, {}, {"invented": {"deep": [1]}}, {"workers": None}])
def test_what_is_absent_or_not_known_is_left_out(settings: Any) -> None:
    assert Report.decode(sent(settings)).process.server_settings == {}


def test_a_text_is_cut_and_cleaned() -> None:
    (kept,) = Report.decode(sent({"pool": "a\x00\x1b[31m" + 5000 * "b"})).process.server_settings.values()
    assert isinstance(kept, str)
    assert len(kept) == 200
    assert kept.isprintable()


@pytest.mark.parametrize(
    "settings",
    [7, [], "none", {"workers": -1}, {"workers": True}, {"workers": "3"}, {"max_requests": 10**17},
     {"max_requests": 1.5}, {"preload": 1}, {"pool": 3}, {"worker_class": ["sync"]}],
)  # fmt: skip
def test_what_is_none_is_refused(settings: Any) -> None:
    with pytest.raises(WireError) as refused:
        Report.decode(sent(settings))
    assert refused.value.reason == "malformed"
