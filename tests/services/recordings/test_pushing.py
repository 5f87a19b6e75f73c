"""Profiles are pushed to a Pyroscope server, once, and until they arrive."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from memwatch.models import Notification, Process, Recording
from memwatch.services import notifications
from memwatch.services.recordings import profiles, pushing, requests
from tests.alerts.receiver import Got, Receiver
from tests.profiles.reading import total
from tests.services.recorded import ALLOCATIONS, bring
from tests.services.stored import store_process

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def process(transport_url: str) -> Process:
    assert transport_url
    return store_process()


@pytest.fixture
def push_to(settings: Any, tmp_path: Path) -> Callable[..., None]:
    def set_up(url: str, **values: Any) -> None:
        folder = str(tmp_path / "recordings")
        settings.MEMWATCH = {"PROFILES_URL": url, "RECORDINGS_FOLDER": folder, "ALERT_CHANNELS": [], **values}

    return set_up


def record(process: Process, kind: str = "allocations") -> Recording:
    return bring(process, requests.request(process, kind, options={"type": "x"} if kind == "referrers" else {}))


def header(got: Got, name: str) -> str:
    return {known.lower(): value for known, value in got.headers.items()}[name.lower()]


def profile_in(got: Got) -> bytes:
    boundary = header(got, "Content-Type").partition("boundary=")[2].encode()
    head, _, rest = got.body.partition(b"\r\n\r\n")
    assert head.startswith(b"--" + boundary)
    assert b'name="profile"' in head
    assert rest.endswith(b"\r\n--" + boundary + b"--\r\n")
    return rest.removesuffix(b"\r\n--" + boundary + b"--\r\n")


def test_a_recording_is_pushed_as_pprof(process: Process, push_to: Callable[..., None], receiver: Receiver) -> None:
    push_to(receiver.url.replace("://", "://reader:to%2Fken@"), PROFILES_TENANT="shop")
    recording = record(process)
    assert notifications.send().sent == 1
    (received,) = receiver.got
    address = urlsplit(received.path)
    assert address.path.endswith("/ingest")
    given = {name: value for name, (value,) in parse_qs(address.query).items()}
    assert given["format"] == "pprof"
    assert given["name"] == f"web{{host={process.host},slot={process.slot},kind=allocations}}"
    assert int(given["until"]) == int(recording.finished_at.timestamp())
    assert int(given["from"]) < int(given["until"])
    assert header(received, "Authorization") == f"Basic {base64.b64encode(b'reader:to/ken').decode()}"
    assert header(received, "X-Scope-OrgID") == "shop"
    assert total(profile_in(received)) == ALLOCATIONS["traced_mb"] * 1024 * 1024
    row = Notification.objects.get()
    assert (row.state, row.recording_id) == ("sent", recording.pk)
    assert row.channel == f"profiles to {receiver.url}"


def test_nothing_is_pushed_unless_a_server_is_named(process: Process, push_to: Callable[..., None]) -> None:
    push_to("")
    record(process)
    assert not Notification.objects.exists()


def test_recordings_without_sizes_are_not_pushed(process: Process, push_to: Callable[..., None]) -> None:
    push_to("https://profiles.invalid")
    record(process, "referrers")
    assert not Notification.objects.exists()
    assert "heap_dump" not in pushing.KINDS


def test_a_server_that_is_away_is_asked_again(
    process: Process, push_to: Callable[..., None], receiver: Receiver
) -> None:
    push_to(receiver.url)
    receiver.answers.append(503)
    record(process)
    now = timezone.now()
    assert notifications.send(now).failed == 1
    row = Notification.objects.get()
    assert row.state == "waiting"
    assert "answered 503" in row.error
    record(process)
    assert notifications.send(timezone.now()).sent == 1, "one that waits for its turn held up another"
    assert notifications.send(now + timedelta(minutes=1)).sent == 1
    assert len(receiver.got) == 3


def test_a_server_that_stays_away_does_not_fill_the_outbox(
    process: Process, push_to: Callable[..., None], monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    push_to(receiver.url)
    monkeypatch.setattr(pushing, "MAX_WAITING", 2)
    for _ in range(3):
        record(process)
    assert list(Notification.objects.order_by("pk").values_list("state", flat=True)) == ["waiting", "waiting", "failed"]
    assert "PROFILES_URL" in Notification.objects.latest("pk").error


def test_a_profile_that_cannot_be_made_is_repeated_with_its_reason(
    process: Process, push_to: Callable[..., None], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_to(receiver.url)
    record(process)
    monkeypatch.setattr(profiles, "made", lambda *_args: 1 / 0)
    assert notifications.send().failed == 1
    assert "division" in Notification.objects.get().error
    assert receiver.got == []


def test_what_waits_for_a_server_that_is_no_longer_named_is_given_up(
    process: Process, push_to: Callable[..., None], receiver: Receiver
) -> None:
    push_to(receiver.url)
    record(process)
    push_to("")
    assert notifications.send().given_up == 1
    assert Notification.objects.get().error == "the channel is no longer in PROFILES_URL"


def test_hostile_names_do_not_leave_their_label(
    process: Process, push_to: Callable[..., None], receiver: Receiver
) -> None:
    push_to(receiver.url)
    recording = record(process)
    Process.objects.update(host='h",{x=1}\n&until=0')
    recording.refresh_from_db()
    assert notifications.send().sent == 1
    given = parse_qs(urlsplit(receiver.got[0].path).query)
    assert given["name"][0].startswith("web{host=h___x_1___until_0,slot=")
