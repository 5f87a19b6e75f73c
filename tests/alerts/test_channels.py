"""Channels get every alert, whatever the others do."""

from __future__ import annotations

import logging

from memwatch.alerts.channels import deliver

ALERT = {
    "type": "leak", "severity": "high", "message": "it leaks", "timestamp": "2026-01-31T12:00:00+00:00", "value": 1.0,
    "threshold": 50.0, "state": "raised", "service": "web", "host": "a", "slot": "web-1",
}  # fmt: skip
heard: list[dict[str, object]] = []


def listen(alert):
    heard.append(alert)


def test_functions_coroutine_functions_and_dotted_paths_are_called():
    got = []

    async def later(alert):
        got.append(("async", alert["type"]))

    heard.clear()
    deliver([ALERT], [lambda alert: got.append(("sync", alert["type"])), later, f"{__name__}.listen"])
    assert got == [("sync", "leak"), ("async", "leak")]
    assert heard == [ALERT]


def test_a_channel_that_raises_or_is_not_there_is_logged_and_stops_nobody(caplog):
    def broken(alert):
        raise RuntimeError("no line")

    heard.clear()
    deliver([ALERT], [broken, "nowhere.to.be.found", listen])
    assert heard == [ALERT]
    assert "nowhere.to.be.found" in caplog.text
    assert "no line" in caplog.text


def test_a_channel_cannot_change_what_the_next_one_gets():
    heard.clear()
    deliver([ALERT], [lambda alert: alert.clear(), listen])
    assert heard == [ALERT]


async def _deliver_in_a_loop(channel):
    deliver([ALERT], [channel])


def test_a_coroutine_channel_is_heard_inside_a_running_event_loop():
    import asyncio

    got = []

    async def later(alert):
        got.append(alert)

    asyncio.run(_deliver_in_a_loop(later))
    assert got == [ALERT]


def test_an_alert_in_the_log_is_no_error_of_memwatch(caplog):
    caplog.set_level(logging.INFO, logger="memwatch.alerts")
    deliver([ALERT, {**ALERT, "state": "cleared"}], ["memwatch.alerts.channels.log"])
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "leak raised (high): it leaks"),
        ("INFO", "leak cleared (high): it leaks"),
    ]
