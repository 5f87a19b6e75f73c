"""Recordings over the API: asked for, followed, cancelled, downloaded, compared."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.utils import timezone
from rest_framework.test import APIClient

from memwatch.models import Process, Recording
from memwatch.permissions import OPERATORS
from memwatch.services.recordings import progress, results
from memwatch.transport.recordings import MEMRAY, split_dump
from tests.api.conftest import Fleet
from tests.heapdump.test_format import small_dump
from tests.profiles.reading import total
from tests.services.recorded import arrive, bring, capture, store_recording
from tests.services.stored import QUOTE, end_process

URL = "/api/v1/recordings/"


@pytest.fixture(autouse=True)
def _nobody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memwatch.services.recordings.requests.REFUSAL_WAIT_S", 0.0)


def post(client: APIClient, **body: Any) -> Any:
    return client.post(URL, body, format="json")


def test_from_a_leak_one_call_leads_to_who_holds_it_and_which_line_allocates_it(
    operator: APIClient, fleet: Fleet
) -> None:
    answer = post(operator, leak=fleet.leak.pk)
    assert answer.status_code == 202
    first = answer.json()
    assert answer["Location"] == f"{URL}{first['id']}/"
    assert (first["state"], first["kind"], first["process"]) == ("requested", "referrers", fleet.web.pk)
    assert first["options"] == {"type": QUOTE}
    bring(fleet.web, Recording.objects.get())
    first = operator.get(answer["Location"]).json()
    (second,) = first["followed_by"]
    bring(fleet.web, Recording.objects.get(pk=second))
    told = operator.get(answer["Location"]).json()
    assert told["state"] == "done"
    assert told["conclusion"] == {
        "finding": "",
        "freed": "",
        "held_by": f"shop.leaks.QUOTES (dict, 20,001 entries) → {QUOTE}",
        "sure": None,
        "certainty": "",
        "attribute": "",
        "your_code": "",
        "your_code_line": "",
        "others": [],
        "allocated_at": "/srv/shop/leaks.py:27 in quote",
        "code": "QUOTES[request_id] = PriceQuote(basket)",
        "called_from": "",
        "caller_code": "",
        "advice": [],
    }
    assert operator.get(f"{URL}{second}/").json()["conclusion"] == told["conclusion"]
    assert told["measured"]["longest_pause_ms"] == 8.0


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("referrers", {"type": QUOTE, "samples": 5}),
        ("allocations", {"duration_s": 10, "frames": 5}),
        ("flamegraph", {"mode": "peak", "native_traces": True}),
        ("heap_summary", {}),
        ("trim", {"watch_minutes": 3, "max_pause_ms": 500}),
    ],
)
def test_every_kind_can_be_asked_for(operator: APIClient, fleet: Fleet, kind: str, options: dict[str, Any]) -> None:
    answer = post(operator, process=fleet.web.pk, kind=kind, options=options)
    assert answer.status_code == 202, answer.json()
    assert answer.json()["options"] == options
    assert answer.json()["requested_by"] == "operator"


def test_a_second_one_while_one_runs_is_a_conflict(operator: APIClient, fleet: Fleet) -> None:
    assert post(operator, process=fleet.web.pk, kind="heap_summary").status_code == 202
    refused = post(operator, process=fleet.web.pk, kind="heap_summary")
    assert refused.status_code == 409
    assert "is being recorded" in refused.json()["detail"]


def test_a_leak_of_a_process_that_ended_is_recorded_in_its_successor(operator: APIClient, fleet: Fleet) -> None:
    end_process(fleet.web, fleet.last.timestamp)
    assert post(operator, leak=fleet.leak.pk).json()["process"] == fleet.web_2.pk
    Recording.objects.all().delete()
    Process.objects.update(ended_at=fleet.last.timestamp)
    refused = post(operator, leak=fleet.leak.pk)
    assert (refused.status_code, "no process of web is running" in refused.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "give a process or a leak"),
        ({"process": 0, "kind": "heap_summary"}, "process"),
        ({"kind": "heap_summary"}, "give a process or a leak"),
        ({"process": "web", "kind": "heap_summary"}, "process"),
        ({"process": "PK"}, "give one of referrers"),
        ({"process": "PK", "kind": "everything"}, "everything"),
        ({"process": "PK", "kind": "referrers"}, "type is missing"),
        ({"process": "PK", "kind": "referrers", "options": {"type": "a\x00b"}}, "type"),
        ({"process": "PK", "kind": "referrers", "options": {"type": "x" * 301}}, "300"),
        ({"process": "PK", "kind": "allocations", "options": {"duration_s": 0}}, "1."),
        ({"process": "PK", "kind": "allocations", "options": {"native_traces": True}}, "means nothing"),
        ({"process": "PK", "kind": "allocations", "options": {"forever": True}}, "forever is no option"),
        ({"process": "PK", "kind": "allocations", "options": [1]}, "dictionary"),
        ({"process": "PK", "kind": "flamegraph", "options": {"mode": "x"}}, 'options.mode: "x" is not a valid choice.'),
        ({"leak": "PK", "kind": None, "options": {"frames": 3}}, "where you give a process or options"),
    ],
)
def test_what_makes_no_sense_is_named(operator: APIClient, fleet: Fleet, body: dict[str, Any], says: str) -> None:
    named = {"process": fleet.web.pk, "leak": fleet.leak.pk}
    answer = post(operator, **{name: named[name] if value == "PK" else value for name, value in body.items()})
    assert answer.status_code == 400
    assert says in answer.json()["detail"]
    assert not Recording.objects.exists()


def test_options_over_a_bound_are_cut_to_it(operator: APIClient, fleet: Fleet) -> None:
    answer = post(operator, process=fleet.web.pk, kind="allocations", options={"duration_s": 301, "frames": 99})
    assert answer.status_code == 202
    assert Recording.objects.get().options == {"duration_s": 300, "frames": 25}


def test_a_recording_is_cancelled_once(operator: APIClient, fleet: Fleet) -> None:
    where = post(operator, process=fleet.web.pk, kind="allocations")["Location"]
    assert operator.post(f"{where}cancel/").json()["state"] == "cancelled"
    assert operator.post(f"{where}cancel/").status_code == 409
    assert progress.keep_up().followed == 0


def test_recordings_are_listed_without_results_and_filtered(viewer: APIClient, fleet: Fleet) -> None:
    one = store_recording(fleet.web, "referrers", leak=fleet.leak)
    two = store_recording(fleet.web_2, "heap_summary")
    rows = viewer.get(URL).json()["results"]
    assert [row["id"] for row in rows] == [two.pk, one.pk]
    assert "result" not in rows[0]
    for query in (f"leak={fleet.leak.pk}", f"process={fleet.web.pk}", "kind=referrers", "state=done&kind=referrers"):
        assert [row["id"] for row in viewer.get(f"{URL}?{query}").json()["results"]] == [one.pk], query
    assert viewer.get(f"{URL}?state=over").status_code == 400


def test_who_may_not_record_may_look_but_sees_no_values_and_downloads_nothing(
    viewer: APIClient, operator: APIClient, fleet: Fleet
) -> None:
    recording = store_recording(fleet.web, "referrers")
    assert "samples" not in viewer.get(f"{URL}{recording.pk}/").json()["result"]
    assert "samples" not in operator.get(f"{URL}{recording.pk}/").json()["result"]
    assert post(viewer, process=fleet.web.pk, kind="heap_summary").status_code == 403
    for path in (f"{recording.pk}/download/", f"{recording.pk}/cancel/"):
        assert (viewer.post if "cancel" in path else viewer.get)(f"{URL}{path}").status_code == 403
    assert operator.get(f"{URL}{recording.pk}/cancel/").status_code == 405


def test_an_allocator_check_wants_a_permission_of_its_own(operator: APIClient, fleet: Fleet) -> None:
    narrowed = Group.objects.get(name=OPERATORS)
    narrowed.permissions.remove(Permission.objects.get(codename="trim_memory"))
    refused = post(operator, process=fleet.web.pk, kind="trim")
    assert (refused.status_code, Recording.objects.count()) == (403, 0)
    assert "memwatch.trim_memory" in refused.json()["detail"]
    narrowed.permissions.add(Permission.objects.get(codename="trim_memory"))
    assert post(operator, process=fleet.web.pk, kind="trim").status_code == 202


def test_a_check_says_what_was_returned_and_what_to_set(viewer: APIClient, fleet: Fleet) -> None:
    found = viewer.get(f"{URL}{store_recording(fleet.web, 'trim').pk}/").json()
    assert found["conclusion"]["finding"].startswith("The process returned 1.3 of 2.1 GB")
    assert found["conclusion"]["advice"][0]["setting"] == "MALLOC_ARENA_MAX=2"
    assert found["conclusion"]["advice"][0]["gain_mb"] == pytest.approx(1034, abs=1)
    assert (found["result"]["watched_s"], len(found["result"]["arenas"])) == (None, 9)


def test_values_want_a_permission_that_no_group_has(operator: APIClient, fleet: Fleet) -> None:
    user = User.objects.get(username="operator")
    recording = store_recording(fleet.web, "referrers", options={"values": True})
    asked = {"process": fleet.web_2.pk, "kind": "referrers", "options": {"type": QUOTE, "values": True}}
    refused = post(operator, **asked)
    assert (refused.status_code, Recording.objects.count()) == (403, 1)
    assert "record_values" in refused.json()["detail"]
    assert "4711" not in operator.get(f"{URL}{recording.pk}/download/").content.decode()
    assert not Permission.objects.get(codename="record_values").group_set.exists()
    user.user_permissions.add(Permission.objects.get(codename="record_values"))
    assert operator.get(f"{URL}{recording.pk}/").json()["result"]["samples"] == [{"total": "4711"}]
    assert "4711" in operator.get(f"{URL}{recording.pk}/download/").content.decode()
    assert post(operator, **asked).status_code == 202
    messages = list(LogEntry.objects.filter(user=user).order_by("pk").values_list("change_message", flat=True))
    assert messages[:3] == [
        f"Downloaded: referrers of {QUOTE}, as json.",
        f"Downloaded: referrers of {QUOTE}, with values, as json.",
        f"Asked for: referrers of {QUOTE}, with values.",
    ]


def test_strangers_and_others_learn_nothing(api: Callable[..., APIClient], fleet: Fleet) -> None:
    recording = store_recording(fleet.web)
    for who, code in (("anonymous", 401), ("plain", 403)):
        client = api(who)
        for path in ("", f"{recording.pk}/", f"{recording.pk}/download/", f"{recording.pk}/difference/?other=1"):
            assert client.get(f"{URL}{path}").status_code == code, (who, path)


def test_outcomes_are_downloaded_as_attachments_that_no_browser_trusts(operator: APIClient, fleet: Fleet) -> None:
    summary = store_recording(fleet.web, "heap_summary")
    answer = operator.get(f"{URL}{summary.pk}/download/")
    assert answer.json()["threads"] == ["MainThread"]
    assert answer["Content-Disposition"] == f'attachment; filename="memwatch-heap_summary-{summary.pk}.json"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    where = post(operator, process=fleet.web_2.pk, kind="flamegraph")["Location"]
    assert operator.get(f"{where}download/").status_code == 404
    content = capture()
    arrive(fleet.web_2, Recording.objects.get(kind="flamegraph"), content, MEMRAY)
    assert operator.get(f"{where}download/?as=bin").content == content
    assert b"leak_on_purpose" in operator.get(f"{where}download/?as=txt").content
    page = operator.get(f"{where}download/")
    assert page["Content-Type"].startswith("text/html")
    assert b"leak_on_purpose" in page.content
    assert operator.get(f"{where}download/?as=exe").status_code == 400


@pytest.mark.parametrize("kind", ["allocations", "heap_summary", "flamegraph"])
def test_a_recording_is_downloaded_as_a_profile(operator: APIClient, fleet: Fleet, kind: str) -> None:
    if kind == "flamegraph":
        where = post(operator, process=fleet.web_2.pk, kind=kind)["Location"]
        arrive(fleet.web_2, Recording.objects.get(kind=kind), capture(), MEMRAY)
    else:
        where = f"{URL}{store_recording(fleet.web, kind).pk}/"
    recording = Recording.objects.get(kind=kind)
    answer = operator.get(f"{where}download/?format=pprof")
    assert answer["Content-Disposition"] == f'attachment; filename="memwatch-{kind}-{recording.pk}.pb.gz"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    lines = operator.get(f"{where}download/?as=collapsed").content.decode().splitlines()
    assert total(answer.content) == sum(int(line.rsplit(" ", 1)[1]) for line in lines) > 0
    scope = operator.get(f"{where}download/?as=speedscope")
    assert scope["Content-Disposition"].endswith('.speedscope.json"')
    assert sum(scope.json()["profiles"][0]["weights"]) == total(answer.content)


def test_recordings_without_sizes_are_no_profiles(operator: APIClient, fleet: Fleet) -> None:
    recording = store_recording(fleet.web)
    for query in ("format=pprof", "as=pprof"):
        answer = operator.get(f"{URL}{recording.pk}/download/?{query}")
        assert answer.status_code == 400
        assert "pprof is none of: json" in str(answer.json())


def test_the_difference_of_two_recordings(viewer: APIClient, fleet: Fleet) -> None:
    earlier = store_recording(fleet.web, "heap_summary")
    later = store_recording(fleet.web, "heap_summary")
    assert viewer.get(f"{URL}{later.pk}/difference/?other={earlier.pk}").status_code == 200
    other_kind = store_recording(fleet.web, "allocations")
    flames = store_recording(fleet.web, "flamegraph")
    for one, other in ((later, other_kind), (flames, store_recording(fleet.web, "flamegraph"))):
        answer = viewer.get(f"{URL}{one.pk}/difference/?other={other.pk}")
        assert answer.status_code == 400, answer.json()
    for nonsense in ("", "?other=", "?other=x", "?other=99999999999999999999"):
        assert viewer.get(f"{URL}{later.pk}/difference/{nonsense}").status_code == 400


def test_a_heap_dump_is_downloaded_by_those_who_may(
    operator: APIClient, fleet: Fleet, settings: Any, tmp_path: Path
) -> None:
    settings.MEMWATCH = {**settings.MEMWATCH, "RECORDINGS_FOLDER": str(tmp_path / "recordings")}
    answer = post(operator, process=fleet.web.pk, kind="heap_dump", options={"max_mb": 32})
    assert answer.status_code == 202
    assert answer.json()["options"] == {"max_mb": 32}
    recording, content = Recording.objects.get(), small_dump()
    parts = split_dump(recording.wire_id, io.BytesIO(content), measured={"objects": 4.0})
    results.take([(fleet.web, part) for part in parts], timezone.now())
    progress.keep_up()
    told = operator.get(answer["Location"]).json()
    assert (told["state"], told["result"]) == ("done", None)
    address = f"{answer['Location']}download/"
    taken = operator.get(address)
    assert b"".join(taken.streaming_content) == content
    assert taken["Content-Disposition"].endswith('.heap"')
    assert operator.get(f"{address}?as=json").status_code == 400
    Group.objects.get(name=OPERATORS).permissions.remove(Permission.objects.get(codename="dump_heap"))
    assert operator.get(address).status_code == 403
    assert post(operator, process=fleet.web.pk, kind="heap_dump").status_code == 403
