"""What a channel of the settings is, and what it does with a message."""

from __future__ import annotations

import asyncio
import logging

import pytest
from django.core import mail

from memwatch.alerts.channels import Callback, Mail, Webhook, configured
from memwatch.conf import Settings
from tests.alerts.told import message

heard: list[dict[str, object]] = []


def listen(told):
    heard.append(told)


@pytest.fixture(autouse=True)
def _nothing_heard():
    heard.clear()


def channels(*items):
    return configured(Settings(alert_channels=items, webhook_secret="s3cret"))


def test_each_kind_is_known_by_its_address():
    found = channels("mailto:ops@example.org", "https://example.org/hook", f"{__name__}.listen")
    assert [type(channel) for channel in found.values()] == [Mail, Webhook, Callback]
    assert f"{__name__}.listen" in found


def test_the_name_of_a_webhook_keeps_the_token_in_its_path_to_itself():
    first, second = channels("https://example.org:8443/T0KEN/a", "https://example.org:8443/T0KEN/b")
    assert first.startswith("https://example.org:8443 #")
    assert "T0KEN" not in first + second
    assert first != second


def test_two_nameless_functions_are_two_channels_and_one_that_is_listed_twice_is_one():
    assert len(channels(lambda told: None, lambda told: None)) == 2
    assert len(channels(listen, listen, f"{__name__}.listen")) == 1


def test_functions_coroutine_functions_and_dotted_paths_are_called():
    got = []

    async def later(told):
        await asyncio.sleep(0)
        got.append(("async", told["type"]))

    for channel in channels(lambda told: got.append(("sync", told["type"])), later, f"{__name__}.listen").values():
        channel.send([message()], timeout_s=5)
    assert got == [("sync", "leak"), ("async", "leak")]
    assert heard == [message()]


def test_a_coroutine_that_takes_too_long_is_cancelled():
    cancelled = []

    async def hangs(told):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(told["type"])
            raise

    (channel,) = channels(hangs).values()
    with pytest.raises(TimeoutError):
        channel.send([message()], timeout_s=0.05)
    assert cancelled == ["leak"]


def test_a_channel_cannot_change_what_the_others_get():
    told = message()
    (channel,) = channels(lambda told: told.clear()).values()
    channel.send([told], timeout_s=5)
    assert told == message()


def test_a_path_that_leads_nowhere_says_so():
    (channel,) = channels("nowhere.to.be.found").values()
    with pytest.raises(ImportError, match="nowhere"):
        channel.send([message()], timeout_s=5)


def test_a_mail_says_what_why_and_where_to_look():
    (channel,) = channels("mailto:ops@example.org").values()
    channel.send([message()], timeout_s=5)
    (sent,) = mail.outbox
    assert sent.to == ["ops@example.org"]
    assert sent.subject == "[memwatch] high: web-1 on a: shop.Quote leaks, grown by 12,000"
    for line in (
        "why:      300 % growth, threshold 50",
        "page:     https://ops.example.org/admin/memwatch/leak/7/change/",
    ):
        assert line in sent.body


def test_several_mails_at_once_become_one():
    (channel,) = channels("mailto:ops@example.org").values()
    channel.send([message(), message(event="cleared", state="cleared", summary="It is over.")], timeout_s=5)
    (sent,) = mail.outbox
    assert sent.subject.startswith("[memwatch] 2 messages: high: web-1 on a")
    assert sent.body.count("page:") == 2


def test_a_hostile_type_name_stays_in_its_line_of_the_subject():
    (channel,) = channels("mailto:ops@example.org").values()
    channel.send([message(message="x\r\nBcc: all@example.org\x00" + "y" * 500)], timeout_s=5)
    (sent,) = mail.outbox
    assert len(sent.subject) <= 150
    assert set(sent.message()) & {"Bcc", "bcc"} == set()


def test_an_alert_in_the_log_is_no_error_of_memwatch(caplog):
    caplog.set_level(logging.INFO, logger="memwatch.alerts")
    (channel,) = channels("memwatch.alerts.channels.log").values()
    over = message(event="cleared", state="cleared", summary="web-1 on a: the leak is over.")
    channel.send([message(), over], timeout_s=5)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "leak raised (high): web-1 on a: shop.Quote leaks, grown by 12,000. Open the leak."),
        ("INFO", "leak cleared (high): web-1 on a: the leak is over."),
    ]
