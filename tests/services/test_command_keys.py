"""Who obeys commands: keys of services, and the change of the deployment's key."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from memwatch.agent.commands import Gate
from memwatch.agent.config.environment import agent_config
from memwatch.conf import SettingError, get_settings
from memwatch.models import Process
from memwatch.services import command_relay, commands
from memwatch.services.ingest.reader import ingest_reports
from memwatch.transport import Hub, wire
from memwatch.transport.keys import service_key
from memwatch.transport.wire import WireError
from tests.reports import process, report, snapshot

pytestmark = pytest.mark.django_db

Send = Any


@pytest.fixture
def watched(hub: Hub, send: Send) -> Process:
    send(report(process(1), {0: snapshot()}))
    ingest_reports(hub=hub)
    return Process.objects.select_related("service").get()


class Noting:
    """A hub that keeps what it is to send."""

    sent: dict[str, bytes]

    def notify(self, payloads: dict[str, bytes]) -> None:
        self.sent = payloads


def obeys(key: str, watched: Process) -> bool:
    """Whether an agent with this key obeys what is sent to the process."""
    noting = Noting()
    commands.request_snapshot(watched, hub=noting)  # type: ignore[arg-type]
    gate = Gate(key)
    with contextlib.suppress(WireError):
        gate.admit(noting.sent[watched.key], target=watched.key, now=timezone.now())
    return not gate.refused


def test_a_process_with_the_key_of_its_service_obeys(watched: Process) -> None:
    assert obeys(service_key(get_settings().command_key, watched.service.name), watched)


def test_one_with_the_key_of_another_service_does_not(watched: Process) -> None:
    assert not obeys(service_key(get_settings().command_key, "another"), watched)


def test_while_the_key_changes_those_with_the_old_and_with_the_new_one_obey(watched: Process, settings: Any) -> None:
    settings.MEMWATCH = {"COMMAND_KEY": "new", "COMMAND_KEY_PREVIOUS": "old"}
    service = watched.service.name
    for key in ("new", "old", service_key("new", service), service_key("old", service)):
        assert obeys(key, watched), key
    settings.MEMWATCH = {"COMMAND_KEY": "new"}
    assert not obeys("old", watched)


def test_silent_processes_are_asked_with_the_key_of_their_service(watched: Process) -> None:
    Process.objects.update(last_seen_at=timezone.now() - timezone.timedelta(hours=1))
    noting = Noting()
    assert commands.nudge(hub=noting) == 1  # type: ignore[arg-type]
    key = service_key(get_settings().command_key, watched.service.name)
    assert wire.Command.decode(noting.sent[watched.key], key, now=timezone.now()).name == "snapshot"


def test_a_worker_passes_on_what_a_page_signed_before_the_change(watched: Process, settings: Any) -> None:
    payload = wire.Command.make("reset_baseline", watched.key).encode("old").decode()
    for previous, passed in (("old", {watched.key}), ((), set())):
        settings.MEMWATCH = {"COMMAND_KEY": "new", "COMMAND_KEY_PREVIOUS": previous}
        found = command_relay.checked({watched.key: payload}, longest_s=30, most_a_minute=30)
        assert set(found) == passed


def test_an_agent_obeys_the_keys_of_its_settings(settings: Any) -> None:
    settings.MEMWATCH = {"COMMAND_KEY": "new", "COMMAND_KEY_PREVIOUS": ["old", "older"]}
    config = get_settings().agent_config()
    gate = Gate(config.command_key, *config.command_key_previous)
    for key in ("new", "old", "older"):
        gate.admit(wire.Command.make("ping", "me").encode(key), target="me", now=timezone.now())
    with pytest.raises(WireError):
        gate.admit(wire.Command.make("ping", "me").encode("oldest"), target="me", now=timezone.now())


def test_a_new_secret_key_with_its_fallbacks_leaves_no_gap(settings: Any) -> None:
    settings.MEMWATCH = {}
    before = get_settings().command_key
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret of this test"
    assert get_settings().command_keys == (get_settings().command_key, before)
    assert get_settings().command_key != before


def test_the_lines_of_a_key_file_are_the_key_and_those_before(tmp_path: Path, settings: Any) -> None:
    file = tmp_path / "key"
    file.write_text("new\n  old  \n\n")
    settings.MEMWATCH = {"COMMAND_KEY_FILE": str(file), "COMMAND_KEY_PREVIOUS": "older"}
    assert get_settings().command_keys == ("new", "old", "older")
    environ = {"MEMWATCH_TRANSPORT": "local:///hub", "MEMWATCH_COMMAND_KEY_FILE": str(file)}
    config = agent_config(environ | {"MEMWATCH_COMMAND_KEY_PREVIOUS": "older"})
    assert (config.command_key, *config.command_key_previous) == ("new", "old", "older")


def test_a_wrong_previous_key_is_not_shown(settings: Any) -> None:
    settings.MEMWATCH = {"COMMAND_KEY_PREVIOUS": ["s3cret", 7]}
    with pytest.raises(SettingError, match=r'"COMMAND_KEY_PREVIOUS"\] is \*\*\*: give a text, or a list') as caught:
        get_settings()
    assert "s3cret" not in str(caught.value)
