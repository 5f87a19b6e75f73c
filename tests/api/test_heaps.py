"""What a heap dump contains, over the API."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from memwatch.models import Recording
from memwatch.services import locking
from tests.api.conftest import Fleet
from tests.api.rows import store_leak
from tests.heapdump.planted import COUNT, EACH
from tests.services.recorded import store_recording
from tests.services.recordings.dumps import store_dump

ROUTES = ("", "types/", "dominators/", "paths/?type=shop.leaks.Quote", "diff/?against=1")


@pytest.fixture
def dump(fleet: Fleet, settings: Any, tmp_path: Path) -> Recording:
    settings.MEMWATCH = {"RECORDINGS_FOLDER": str(tmp_path / "recordings")}
    return store_dump(fleet.web, tmp_path, "attribute_of_an_instance", pid=1, host="a")


@pytest.fixture
def client(operator: APIClient) -> APIClient:
    return operator


@pytest.fixture
def recorder(viewer: APIClient) -> APIClient:
    """May record, and download other recordings."""
    user = User.objects.get(username="viewer")
    user.user_permissions.add(Permission.objects.get(codename="record_process"))
    return viewer


def url(recording: Recording, route: str = "") -> str:
    return f"/api/v1/recordings/{recording.pk}/heap/{route}"


def test_from_the_findings_to_the_holder(client: APIClient, dump: Recording) -> None:
    whole = client.get(url(dump)).json()
    assert any("shop.leaks.AuditTrail.trail" in row["text"] for row in whole["findings"])
    assert {"about", "packages", "modules", "roots", "duplicates", "containers", "held"} <= set(whole)
    (row,) = client.get(url(dump, "types/?search=quote")).json()["types"]
    assert (row["name"], row["count"], row["retained"]) == ("shop.leaks.Quote", COUNT, COUNT * EACH)
    assert row["has_paths"] is True
    paths = client.get(url(dump, "paths/?type=shop.leaks.Quote")).json()
    assert paths["groups"][0]["holder"] == "shop.leaks.AuditTrail.trail"


def test_while_it_is_analysed_it_says_when_to_ask_again(client: APIClient, dump: Recording) -> None:
    with locking.single_flight(f"analyse {dump.wire_id} analysis", 60):
        answer = client.get(url(dump))
    assert answer.status_code == 409
    assert answer["Retry-After"] == "5"
    assert "is being analysed" in answer.json()["detail"]


def test_down_the_dominators(client: APIClient, dump: Recording) -> None:
    labels = []
    found = client.get(url(dump, "dominators/")).json()
    while found["children"]:
        labels.append(found["label"])
        found = client.get(url(dump, f"dominators/?node={found['children'][0]['node']}")).json()
    assert labels[:5] == ["all roots", "dict of module shop.leaks", "shop.leaks.AuditTrail", "dict", "list"]
    assert [row["label"] for row in found["above"]][:5] == labels[:5]


def test_the_difference_of_two(client: APIClient, fleet: Fleet, dump: Recording, tmp_path: Path) -> None:
    later = store_dump(fleet.web, tmp_path, "attribute_of_an_instance", "set_of_a_module", pid=2, host="a")
    found = client.get(url(later, f"diff/?against={dump.pk}")).json()
    row = next(row for row in found["paths"] if row["type"] == "shop.leaks.Quote")
    assert (row["holder"], row["count"], row["is_new"]) == ("shop.leaks.UNIQUE", COUNT, True)
    assert next(row for row in found["types"] if row["name"] == "shop.leaks.Quote")["retained"] == COUNT * EACH


@pytest.mark.parametrize("form", ["heap", "heapsnapshot", "html", "csv"])
def test_it_is_downloaded_in_every_form(client: APIClient, dump: Recording, form: str) -> None:
    answer: Any = client.get(f"/api/v1/recordings/{dump.pk}/download/", {"as": form})
    assert answer.status_code == 200
    assert len(b"".join(answer)) > 100
    assert answer["Content-Disposition"].endswith(f'.{form}"')


@pytest.mark.parametrize("who", ["anonymous", "plain", "viewer"])
@pytest.mark.parametrize("route", ROUTES)
def test_only_those_who_may_dump_heaps_see_it(
    api: Callable[..., APIClient], dump: Recording, who: str, route: str
) -> None:
    assert api(who).get(url(dump, route)).status_code == (401 if who == "anonymous" else 403)


@pytest.mark.parametrize("form", ["heap", "heapsnapshot", "html", "csv"])
def test_only_those_who_may_dump_heaps_download_it(recorder: APIClient, dump: Recording, form: str) -> None:
    assert recorder.get(f"/api/v1/recordings/{dump.pk}/download/", {"as": form}).status_code == 403


@pytest.mark.parametrize("address", [*(f"heap/{route}" for route in ROUTES), "download/?as=heap", "download/?as=csv"])
def test_names_of_keys_are_for_those_who_may_have_them_named(
    recorder: APIClient, dump: Recording, address: str
) -> None:
    user = User.objects.get(username="viewer")
    user.user_permissions.add(Permission.objects.get(codename="dump_heap"))
    address = f"/api/v1/recordings/{dump.pk}/{address.replace('against=1', f'against={dump.pk}')}"

    def status() -> int:
        with contextlib.closing(recorder.get(address)) as answer:
            return answer.status_code

    assert status() == 200
    Recording.objects.update(options={**dump.options, "keys": True})
    assert status() == 403
    user.user_permissions.add(Permission.objects.get(codename="dump_keys"))
    assert status() == 200


def test_who_may_record_alone_does_not_see_heaps(recorder: APIClient, dump: Recording) -> None:
    assert [recorder.get(url(dump, route)).status_code for route in ROUTES] == [403] * len(ROUTES)


@pytest.mark.parametrize(
    ("route", "status"),
    [
        ("dominators/?node=x", 400),
        ("dominators/?node=-1", 400),
        ("dominators/?node=99999999", 404),
        ("paths/", 400),
        ("paths/?type=no.Such", 404),
        ("diff/", 400),
        ("diff/?against=99999999", 400),
        ("diff/?against=x", 400),
    ],
)
def test_what_is_not_there_is_said(client: APIClient, dump: Recording, route: str, status: int) -> None:
    answer = client.get(url(dump, route))
    assert answer.status_code == status
    assert answer.json()


def test_another_recording_has_no_heap(client: APIClient, fleet: Fleet) -> None:
    other = store_recording(fleet.web, "heap_summary")
    assert client.get(url(other)).status_code == 404


def test_a_leak_says_what_keeps_its_objects(
    client: APIClient, viewer: APIClient, fleet: Fleet, dump: Recording
) -> None:
    leak = store_leak(fleet.web, "shop.leaks.Quote")
    address = f"/api/v1/leaks/{leak.pk}/"
    assert client.get(address).json()["heap"] is None  # not analysed yet
    client.get(url(dump))
    found = client.get(address).json()["heap"]
    assert (found["recording"], found["count"], found["freed"]) == (dump.pk, COUNT, COUNT * EACH)
    assert found["holders"][0]["holder"] == "shop.leaks.AuditTrail.trail"
    assert viewer.get(address).json()["heap"] is None
