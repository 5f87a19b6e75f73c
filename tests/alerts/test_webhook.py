"""Webhooks: signed, bounded, and sent nowhere else."""

from __future__ import annotations

import socket
import time

import pytest

from memwatch.alerts import webhook
from memwatch.alerts.webhook import DELIVERY, SIGNATURE, TIMESTAMP, DeliveryError, post, sign, verify
from tests.alerts.receiver import Receiver
from tests.alerts.told import message

SECRET = "a-secret-nobody-guesses"


def test_the_receiver_can_tell_who_sent_it_and_when() -> None:
    with Receiver() as receiver:
        post(f"{receiver.url}/hook?x=1", message(), secret=SECRET, timeout_s=5)
        (got,) = receiver.got
    assert got.path == "/hook?x=1"
    assert got.message == message()
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers[DELIVERY] == message()["id"]
    assert verify(SECRET, got.headers, got.body)


@pytest.mark.parametrize("what", ["body", "timestamp", "signature", "secret", "age", "future", "none", "garbage"])
def test_what_was_changed_or_is_old_does_not_verify(what: str) -> None:
    body, now = b'{"a": 1}', 1_700_000_000
    headers = {TIMESTAMP: str(now), SIGNATURE: sign(SECRET, str(now), body)}
    assert verify(SECRET, headers, body, now=now + 299)
    secret, at = SECRET, float(now)
    if what == "body":
        body += b" "
    elif what == "timestamp":
        headers[TIMESTAMP] = str(now + 1)
    elif what == "signature":
        headers[SIGNATURE] = headers[SIGNATURE][:-1] + "g"
    elif what == "secret":
        secret = "another"
    elif what in ("age", "future"):
        at = now + (301 if what == "age" else -301)
    elif what == "none":
        headers = {}
    else:
        headers = {TIMESTAMP: "½", SIGNATURE: "ü"}
    assert not verify(secret, headers, body, now=at)


def test_a_redirect_is_an_error_and_leads_nowhere() -> None:
    with Receiver(302, 307) as receiver:
        for status in (302, 307):
            with pytest.raises(DeliveryError, match=f"answered {status}: redirects are not followed"):
                post(f"{receiver.url}/hook", message(), secret=SECRET, timeout_s=5)
        assert [got.path for got in receiver.got] == ["/hook", "/hook"]


def test_an_error_says_which_host_and_what_but_not_the_path() -> None:
    with Receiver(500) as receiver:
        with pytest.raises(DeliveryError) as failed:
            post(f"{receiver.url}/T0KEN", message(), secret=SECRET, timeout_s=5)
        assert str(failed.value) == f"{receiver.url} answered 500"
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(DeliveryError, match=rf"http://127.0.0.1:{port} cannot be reached: ConnectionRefusedError"):
        post(f"http://127.0.0.1:{port}/T0KEN", message(), secret=SECRET, timeout_s=5)


def test_a_receiver_that_says_nothing_is_given_up_in_time() -> None:
    with Receiver() as receiver:
        receiver.hang.set()
        started = time.monotonic()
        with pytest.raises(DeliveryError, match="cannot be reached: TimeoutError"):
            post(receiver.url, message(), secret=SECRET, timeout_s=0.3)
        assert time.monotonic() - started < 20


def test_a_url_with_a_password_shows_its_host_alone() -> None:
    assert webhook.shown("https://user:pass@example.org:8443/T0KEN?key=1") == "https://example.org:8443"
