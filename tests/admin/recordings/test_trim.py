"""An allocator check in the admin: closed to others, watched, and linked from where it helps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from memwatch.models import Process, Recording, Trigger
from memwatch.permissions import OPERATORS
from memwatch.services.recordings import requests
from tests.admin.conftest import EVIL, Fleet
from tests.services.conftest import transport_url
from tests.services.recorded import TRIM, store_recording

__all__ = ["transport_url"]
Login = Callable[..., Client]
RECORD = "admin:memwatch_recording_record"
TWO = {"MALLOC_ARENA_MAX": "2"}


@pytest.fixture(autouse=True)
def _here(transport_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert transport_url
    monkeypatch.setattr(requests, "REFUSAL_WAIT_S", 0.0)


def shown(client: Client, row: Any) -> str:
    answer = client.get(row.get_absolute_url())
    assert answer.status_code == 200
    text: str = answer.content.decode()
    assert EVIL not in text
    return text


def narrow() -> None:
    """Operators of this site may not trim."""
    Group.objects.get(name=OPERATORS).permissions.remove(Permission.objects.get(codename="trim_memory"))


def check(fleet: Fleet, process: Process, **values: Any) -> Recording:
    called = fleet.now - timedelta(minutes=4)
    made = {"finished_at": called, "requested_at": called, "result": {**TRIM, "at": called.timestamp()}, **values}
    return store_recording(process, "trim", **made)


def test_the_button_asks_first_and_says_what_the_call_costs(fleet: Fleet, login: Login) -> None:
    client, process = login("operator"), fleet.process()
    fleet.snapshot(process, heap_used_mb=300.0, heap_committed_mb=900.0)
    asked = client.post(reverse(RECORD), {"process": process.pk, "kind": "trim"}).content.decode()
    assert "up to 1.4 s for 2 GB" in asked
    assert "its allocators had 600.0 MB free: the call takes at most about 420.0 ms" in asked
    assert not Recording.objects.exists()
    form = {"process": process.pk, "kind": "trim", "confirmed": "yes", "watch_minutes": "10", "max_pause_ms": "700"}
    client.post(reverse(RECORD), form)
    assert Recording.objects.get().options == {"watch_minutes": 10, "max_pause_ms": 700}


def test_without_the_permission_there_is_no_button_and_no_page(fleet: Fleet, login: Login) -> None:
    client, process = login("operator"), fleet.process()
    assert "record-trim" in shown(client, process)
    narrow()
    assert "record-trim" not in shown(client, process)
    for confirmed in ({}, {"confirmed": "yes"}):
        refused = client.post(reverse(RECORD), {"process": process.pk, "kind": "trim", **confirmed})
        assert refused.status_code == 403
    assert not Recording.objects.exists()


def test_without_the_permission_no_trigger_can_be_made_that_trims(fleet: Fleet, login: Login) -> None:
    assert fleet
    client = login("operator")
    form = {
        "name": "big", "enabled": "on", "when": "rss", "level": "500", "severity": "high", "kind": "trim",
        "duration_s": "30", "frames": "1", "mode": "leaks", "per_process_day": "1", "per_service_hour": "1",
        "per_hour": "2",
    }  # fmt: skip
    narrow()
    for tried in (form, {**form, "kind": "heap_summary", "and_then": ["trim"]}):
        refused = client.post(reverse("admin:memwatch_trigger_add"), tried).content.decode()
        assert "trim is not one of the available choices" in refused
    assert not Trigger.objects.exists()
    Group.objects.get(name=OPERATORS).permissions.add(Permission.objects.get(codename="trim_memory"))
    client.post(reverse("admin:memwatch_trigger_add"), form)
    assert Trigger.objects.get().kinds == ["trim"]


def test_while_it_is_followed_the_page_says_so_and_shows_what_there_is(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    fleet.snapshot(process, minutes_ago=3, rss_mb=850.0)
    fleet.snapshot(process, minutes_ago=2, rss_mb=980.0)
    page = shown(login("viewer"), check(fleet, process))
    assert "follows resident memory for 5 min after the call" in page
    assert "12 % of it came back within 2 minutes" in page
    assert "980.0 MB" in page


def test_what_came_back_is_no_matter_of_settings(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    fleet.snapshot(process, minutes_ago=3, rss_mb=2_140.0)
    page = shown(login("viewer"), check(fleet, process, options={"watch_minutes": 2}))
    assert "came back within a minute: the program needs its peak" in page
    assert "MALLOC_ARENA_MAX=2" not in page


def test_a_hostile_result_is_only_text(fleet: Fleet, login: Login) -> None:
    evil = {**TRIM, "malloc": EVIL, "settings": {EVIL: EVIL}, "trimmed": False, "reason": EVIL}
    client = login("viewer")
    assert "Nothing was returned" in shown(client, check(fleet, fleet.process(), result=evil))
    huge = {**TRIM, "rss_before_mb": 1e15, "rss_after_mb": -1e15, "arenas": [{**TRIM["arenas"][0], "system_mb": 0}]}
    assert shown(client, check(fleet, fleet.process(slot=2), result=huge))


def test_a_process_whose_allocator_keeps_much_leads_to_the_check(fleet: Fleet, login: Login) -> None:
    keeps, not_much = fleet.process(), fleet.process(slot=2)
    fleet.snapshot(keeps, heap_used_mb=300.0, heap_committed_mb=900.0, fragmentation_percent=66.7, rss_mb=950.0)
    fleet.snapshot(not_much, heap_used_mb=300.0, heap_committed_mb=320.0, fragmentation_percent=6.0, rss_mb=350.0)
    client = login("operator")
    page = shown(client, keeps)
    assert "The allocators hold 900.0 MB, of which 600.0 MB is free. That is not a leak" in page
    assert page.count('data-act="record-trim"') == 2
    page = shown(client, not_much)
    assert "That is not a leak" not in page
    assert "The allocators hold 320.0 MB, of which 20.0 MB is free. Objects and their buffers use the rest." in page


def test_a_process_shows_its_settings_and_the_last_check(fleet: Fleet, login: Login) -> None:
    client, process = login("viewer"), fleet.process(allocator_settings=TWO)
    assert "MALLOC_ARENA_MAX=2" in shown(client, process)
    other = fleet.process(slot=2, allocator_settings={})
    assert "Settings: defaults" in " ".join(shown(client, other).split())
    check(fleet, process)
    assert "of another process of the service" in shown(client, other)
    assert "The process returned 1.3 of 2.1 GB" in shown(client, other)


def test_a_process_shows_the_last_check_only_to_those_who_may_view_recordings(fleet: Fleet, login: Login) -> None:
    process = fleet.process(allocator_settings=TWO)
    check(fleet, process)
    without = shown(login("processes", "view_process"), process)
    assert "MALLOC_ARENA_MAX=2" in without
    assert "The process returned" not in without
    assert "Allocator check" not in without
    with_it = shown(login("recordings", "view_process", "view_recording"), process)
    assert "The process returned 1.3 of 2.1 GB" in with_it


def test_after_a_restart_with_the_setting_the_pages_compare(fleet: Fleet, login: Login) -> None:
    old = fleet.process(
        started_at=fleet.now - timedelta(hours=9), ended_at=fleet.now - timedelta(hours=2), allocator_settings={}
    )
    new = fleet.process(started_at=fleet.now - timedelta(hours=2), allocator_settings=TWO, slot=2)
    fleet.snapshot(old, minutes_ago=8 * 60, rss_mb=760.0)
    fleet.snapshot(new, minutes_ago=60, rss_mb=412.0)
    client = login("viewer")
    for row in (new, check(fleet, new)):
        page = shown(client, row)
        assert "With MALLOC_ARENA_MAX=2 since" in page
        assert "412.0 MB RSS at an age of 1 h" in page
        assert "Before, with the defaults: 760.0 MB" in page
        assert "-348.0 MB" in page.replace("\u2212", "-")
    assert "Before, with" not in shown(client, old)
