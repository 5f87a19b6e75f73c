"""A heap dump in the admin: closed to others, followed while it is made, no keys for those who may not see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from memwatch.models import Recording, RecordingPart
from memwatch.permissions import OPERATORS
from memwatch.services.recordings import requests
from tests.admin.conftest import Fleet
from tests.services.conftest import transport_url
from tests.services.recorded import store_recording

__all__ = ["transport_url"]
Login = Callable[..., Client]
RECORD = "admin:memwatch_recording_record"


@pytest.fixture(autouse=True)
def _here(transport_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert transport_url
    monkeypatch.setattr(requests, "REFUSAL_WAIT_S", 0.0)


def shown(client: Client, row: Any) -> str:
    answer = client.get(row.get_absolute_url())
    assert answer.status_code == 200
    text: str = answer.content.decode()
    return text


def test_the_button_asks_first_and_offers_no_keys(fleet: Fleet, login: Login) -> None:
    client, process = login("operator"), fleet.process()
    asked = client.post(reverse(RECORD), {"process": process.pk, "kind": "heap_dump"}).content.decode()
    assert "writes down every object" in asked
    assert 'name="max_mb"' in asked
    assert 'name="keys"' not in asked
    form = {"process": process.pk, "kind": "heap_dump", "confirmed": "yes", "max_mb": "20", "keys": "on"}
    client.post(reverse(RECORD), form)
    assert Recording.objects.get().options == {"max_mb": 20, "any_driver": False}


def test_without_the_permission_there_is_no_button_and_no_page(fleet: Fleet, login: Login) -> None:
    client, process = login("operator"), fleet.process()
    assert "record-heap_dump" in shown(client, process)
    Group.objects.get(name=OPERATORS).permissions.remove(Permission.objects.get(codename="dump_heap"))
    assert "record-heap_dump" not in shown(client, process)
    for confirmed in ({}, {"confirmed": "yes"}):
        refused = client.post(reverse(RECORD), {"process": process.pk, "kind": "heap_dump", **confirmed})
        assert refused.status_code == 403
    assert not Recording.objects.exists()


def test_the_page_says_how_far_it_is(fleet: Fleet, login: Login) -> None:
    client = login("operator")
    recording = store_recording(
        fleet.process(), "heap_dump", state="running", finished_at=None, measured={"objects": 1_234_567.0}
    )
    assert "1,234,567 objects so far" in shown(client, recording)
    Recording.objects.update(parts=12)
    RecordingPart.objects.create(recording=recording, number=3, content=b"x")
    assert "1 of 12 parts have arrived" in shown(client, recording)
    Recording.objects.update(measured={"objects": "<script>"}, parts=0)
    assert "takes some seconds" in shown(client, recording)
