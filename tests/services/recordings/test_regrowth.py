"""An allocator check from the order to the stored regrowth."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from memwatch.models import Process, Recording
from memwatch.services import ActionRefused
from memwatch.services.recordings import progress, requests
from tests.services.conftest import transport_url
from tests.services.recorded import TRIM, arrive, bring
from tests.services.stored import store_process

__all__ = ["transport_url"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def process(transport_url: str) -> Process:
    assert transport_url
    return store_process(last_seq=1)


def snapshot(process: Process, seconds: float, mb: float) -> None:
    process.snapshots.create(
        seq=process.snapshots.count(), timestamp=timezone.now() + timedelta(seconds=seconds), rss_kib=round(1024 * mb)
    )


def test_the_regrowth_is_stored_once_it_was_followed(process: Process) -> None:
    recording = bring(process, requests.request(process, "trim", options={"watch_minutes": 2}))
    assert (recording.state, recording.result.get("watched_s")) == ("done", None)
    snapshot(process, 60, 900.0)
    snapshot(process, 110, 1_000.0)
    progress.keep_up(timezone.now() + timedelta(seconds=100))
    recording.refresh_from_db()
    assert recording.result.get("watched_s") is None
    progress.keep_up(timezone.now() + timedelta(seconds=151))
    process.snapshots.all().delete()
    recording.refresh_from_db()
    assert recording.result["watched_s"] == 120
    assert [level["rss_mb"] for level in recording.result["regrowth"]] == [900, 1000]


def test_the_answer_may_still_come_after_the_process_has_ended(process: Process) -> None:
    recording = bring(process, requests.request(process, "trim"))
    Process.objects.update(ended_at=timezone.now())
    progress.keep_up()
    recording.refresh_from_db()
    assert recording.result["watched_s"] == 0


def test_a_process_that_ends_during_it_fails_it(process: Process) -> None:
    recording = requests.request(process, "trim")
    Process.objects.update(ended_at=timezone.now())
    progress.keep_up()
    recording.refresh_from_db()
    assert (recording.state, recording.error) == ("failed", "The process ended before it was done.")


def test_it_never_runs_beside_another(process: Process) -> None:
    requests.request(process, "trim")
    for kind in ("trim", "heap_summary"):
        with pytest.raises(ActionRefused, match="is being recorded"):
            requests.request(process, kind)


def test_it_has_a_permission_of_its_own(process: Process) -> None:
    user = User.objects.create_user("anna")
    user.user_permissions.add(Permission.objects.get(codename="record_process"))
    with pytest.raises(PermissionDenied, match=r"memwatch\.trim_memory"):
        requests.request(process, "trim", by=User.objects.get(pk=user.pk))
    assert not Recording.objects.exists()
    user.user_permissions.add(Permission.objects.get(codename="trim_memory"))
    assert requests.request(process, "trim", by=User.objects.get(pk=user.pk)).pk


@pytest.mark.parametrize(
    "outcome",
    [
        b"[]",
        b"{}",
        json.dumps({**TRIM, "arenas": [{"number": "<script>"}]}).encode(),
        json.dumps({**TRIM, "arenas": [TRIM["arenas"][0]] * 6_000}).encode(),
        json.dumps({**TRIM, "rss_before_mb": 1e300}).encode(),
        json.dumps({**TRIM, "settings": {"a": ["b"]}}).encode(),
    ],
)
def test_a_hostile_outcome_fails_the_recording_or_is_harmless(process: Process, outcome: bytes) -> None:
    recording = arrive(process, requests.request(process, "trim"), outcome)
    if recording.state == "done":
        assert recording.result["rss_before_mb"] == 0, "of an empty object: the defaults"
    else:
        assert (recording.state, recording.result) == ("failed", None)
        assert "is no " in recording.error
    progress.keep_up(timezone.now() + timedelta(hours=1))


def test_what_an_agent_adds_of_its_own_is_left_out(process: Process) -> None:
    recording = bring(process, requests.request(process, "trim"), evil={"a": 1}, reason="x" * 9_000)
    assert "evil" not in recording.result
    assert len(recording.result["reason"]) == 300


def test_rows_of_before_that_hold_anything_do_not_stop_the_others(process: Process) -> None:
    other = store_process(slot=2)
    broken: dict[str, Any] = {"trimmed": True, "watched_s": None, "arenas": 7}
    recording = bring(other, requests.request(other, "trim", options={"watch_minutes": 1}))
    for number, result in enumerate((broken, [1], "x")):
        Recording.objects.create(process=process, kind="trim", wire_id=f"{number:016}", state="done", result=result)
    progress.keep_up(timezone.now() + timedelta(minutes=5))
    recording.refresh_from_db()
    assert recording.result["watched_s"] == 60
