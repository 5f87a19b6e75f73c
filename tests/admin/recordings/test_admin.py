"""Recordings in the admin: asked for with a word on what it costs, read by people, closed to others."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.template.loader import get_template
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from memwatch.models import Recording
from memwatch.services.recordings import requests
from memwatch.transport.recordings import MEMRAY
from tests.admin.conftest import EVIL, Fleet
from tests.diagnosis.structure.test_evidence import BOUND, GARBAGE
from tests.queries.test_conclusions import TRAIL, found
from tests.services.conftest import transport_url
from tests.services.recorded import QUOTE, REFERRERS, RESULTS, arrive, capture, store_recording
from tests.services.stored import store_process

__all__ = ["transport_url"]
Login = Callable[..., Client]


@pytest.fixture(autouse=True)
def _here(transport_url: str, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    assert transport_url
    settings.MEMWATCH = {"RECORDINGS_FOLDER": str(tmp_path / "recordings")}
    monkeypatch.setattr(requests, "REFUSAL_WAIT_S", 0.0)


def page(recording: Recording) -> str:
    return reverse("admin:memwatch_recording_change", args=(recording.pk,))


RECORD = "admin:memwatch_recording_record"


def test_a_button_asks_first_and_says_what_it_costs(fleet: Fleet, login: Login) -> None:
    client, leak = login("operator"), fleet.leak(fleet.process())
    asked = client.post(reverse(RECORD), {"leak": leak.pk, "kind": "cause"})
    assert asked.status_code == 200
    assert b"runs up to a few times slower" in asked.content
    assert not Recording.objects.exists()
    begun = client.post(reverse(RECORD), {"leak": leak.pk, "kind": "cause", "confirmed": "yes"})
    recording = Recording.objects.get()
    assert begun["Location"] == page(recording)
    assert (recording.kind, recording.and_then, recording.leak) == ("referrers", "allocations", leak)
    assert str(recording.requested_by) == "operator"
    waiting = client.get(page(recording)).content.decode()
    assert "memwatch/recordings.js" in waiting
    assert "Cancel" in waiting


def test_a_process_is_recorded_with_the_options_that_were_filled_in(fleet: Fleet, login: Login) -> None:
    client, process = login("operator"), fleet.process()
    form = {"process": process.pk, "kind": "allocations", "confirmed": "yes", "duration_s": "301", "frames": "3"}
    assert b"300" in client.post(reverse(RECORD), form).content
    client.post(reverse(RECORD), {**form, "duration_s": "20"})
    assert Recording.objects.get().options == {"duration_s": 20, "frames": 3}
    again = client.post(reverse(RECORD), {**form, "duration_s": "20"}, follow=True)
    assert "is being recorded" in again.content.decode()


def test_who_may_not_record_sees_no_button_and_is_refused(fleet: Fleet, login: Login) -> None:
    client, process = login("viewer"), fleet.process()
    recording = store_recording(process, "referrers")
    shown = client.get(page(recording)).content.decode()
    assert "QUOTES" in shown
    assert "4711" not in shown
    assert "/download/" not in shown
    for method in (client.get, client.post):
        assert method(reverse(RECORD), {"process": process.pk, "kind": "heap_summary"}).status_code == 403
    for name, args in (("download", (recording.pk, "json")), ("flamegraph", (recording.pk,))):
        assert client.get(reverse(f"admin:memwatch_recording_{name}", args=args)).status_code == 403


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("referrers", ["20,001 entries", "refers to", "keeps at least 8"]),
        ("allocations", ["/srv/shop/leaks.py:27 in quote", "QUOTES[request_id]", "this type", "views.py:40"]),
        ("heap_summary", ["shop.leaks.FRAGMENTS", "list of str", "add handlers once", "MainThread"]),
        ("heap_summary", ["has grown by 207.0 MB since the baseline", "MALLOC_ARENA_MAX", "libc.so.6, library"]),
        ("trim", ["1.3 of 2.1 GB", "MALLOC_ARENA_MAX=2", "Concerns up to", "glibc 2.36", "main", "80"]),
    ],
)
def test_each_kind_has_a_page_that_a_person_reads(fleet: Fleet, login: Login, kind: str, expected: list[str]) -> None:
    shown = login("operator").get(page(store_recording(fleet.process(), kind))).content.decode()
    for text in expected:
        assert text in shown


def test_values_are_shown_and_offered_only_to_who_has_the_permission_for_them(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    recording = store_recording(process, "referrers", options={"values": True})
    client = login("operator")
    asked = f"{reverse(RECORD)}?process={process.pk}&kind=referrers"
    download = reverse("admin:memwatch_recording_download", args=(recording.pk, "json"))
    for address in (page(recording), download):
        assert "4711" not in client.get(address).content.decode()
    assert 'name="values"' not in client.get(asked).content.decode()
    User.objects.get(username="operator").user_permissions.add(Permission.objects.get(codename="record_values"))
    for address in (page(recording), download):
        assert "4711" in client.get(address).content.decode()
    assert 'name="values"' in client.get(asked).content.decode()
    kept = LogEntry.objects.filter(object_id=str(recording.pk)).order_by("pk").values_list("change_message", flat=True)
    assert list(kept) == [
        f"Downloaded: referrers of {QUOTE}, as json.", f"Downloaded: referrers of {QUOTE}, with values, as json.",
    ]  # fmt: skip


def test_recordings_that_belong_together_are_summed_up_on_each_page(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    first = store_recording(process, "referrers")
    second = store_recording(process, "allocations", follows=first)
    client = login("viewer")
    for recording in (first, second):
        shown = client.get(page(recording)).content.decode()
        assert "Held by" in shown
        assert "shop.leaks.QUOTES (dict, 20,001 entries) → " in shown
        assert "leaks.py:27 in quote" in shown


def test_a_librarys_line_is_shown_with_the_programs_line_that_called_it(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    leak = fleet.leak(process)
    site = {
        "file": "/venv/site-packages/django/db/models/base.py", "line": 584, "of_type": True,
        "function": "Model.from_db",
        "called_from": "/srv/shop/views.py:38 in order", "caller_code": "customer = Customer.objects.get(pk=1)",
        "traceback": ["/venv/site-packages/django/db/models/query.py:123", "/srv/shop/views.py:38"],
    }  # fmt: skip
    recording = store_recording(process, "allocations", leak=leak, result={"sites": [site]})
    client = login("viewer")
    shown = client.get(page(recording)).content.decode()
    assert shown.count("/srv/shop/views.py:38 in order") == 2, "in the conclusion and in the table"
    assert "customer = Customer.objects.get(pk=1)" in shown
    step = client.get(reverse("admin:memwatch_leak_change", args=(leak.pk,))).content.decode()
    assert "/srv/shop/views.py:38 in order" in step


def test_hostile_names_and_shapes_are_only_text(fleet: Fleet, login: Login) -> None:
    client, process = login("operator"), fleet.process()
    evil = copy.deepcopy(REFERRERS)
    evil["chains"][0]["path"][0] = EVIL
    evil["referrers"][0]["holder_type"] = EVIL
    evil["samples"] = [{EVIL: EVIL}]
    shapes: list[Any] = [
        evil,
        {"chains": 3, "referrers": [1], "holder": [], "samples": {}, "notes": "x"},
        {"chains": [{"path": None}], "holder": {"length": "many", "retained_kb": None}},
        {},
    ]
    for result in shapes:
        for kind in RESULTS:
            recording = store_recording(process, kind, options={"type": EVIL}, result=result)
            shown = client.get(page(recording))
            assert shown.status_code == 200
            assert b"<script>alert" not in shown.content


def test_a_flame_graph_is_framed_in_a_sandbox_without_network(fleet: Fleet, login: Login) -> None:
    client, process = login("operator"), store_process()
    recording = arrive(process, requests.request(process, "flamegraph"), capture(), MEMRAY)
    shown = client.get(page(recording)).content.decode()
    assert 'sandbox="allow-scripts"' in shown
    assert "only memory allocated during the recording" in shown
    framed = client.get(reverse("admin:memwatch_recording_flamegraph", args=(recording.pk,)))
    policy = framed["Content-Security-Policy"]
    assert "sandbox allow-scripts;" in policy
    assert "default-src 'none'" in policy
    assert "allow-same-origin" not in policy
    assert framed["X-Frame-Options"] == "SAMEORIGIN"
    assert framed["X-Content-Type-Options"] == "nosniff"
    assert b"leak_on_purpose" in framed.content
    for form in ("html", "txt", "bin"):
        answer = client.get(reverse("admin:memwatch_recording_download", args=(recording.pk, form)))
        assert answer["Content-Disposition"].startswith("attachment")


def test_a_flame_graph_that_cannot_be_rendered_says_why_in_its_frame(fleet: Fleet, login: Login) -> None:
    recording = store_recording(fleet.process(), "flamegraph", content_type=MEMRAY)
    framed = login("operator").get(reverse("admin:memwatch_recording_flamegraph", args=(recording.pk,)))
    assert b"nothing was kept of this recording" in framed.content
    assert "sandbox" in framed["Content-Security-Policy"]


def test_a_recording_under_way_is_cancelled_after_asking(fleet: Fleet, login: Login) -> None:
    client = login("operator")
    recording = requests.request(fleet.process(), "heap_summary")
    url = reverse("admin:memwatch_recording_act", args=(recording.pk, "cancel"))
    assert client.post(url).status_code == 200
    client.post(url, {"confirmed": "yes"})
    recording.refresh_from_db()
    assert recording.state == "cancelled"


def test_two_recordings_of_a_kind_are_compared(fleet: Fleet, login: Login) -> None:
    client, process = login("viewer"), fleet.process()
    grown = copy.deepcopy(RESULTS)
    grown["referrers"]["chains"][0]["count"] = 25_001
    grown["referrers"]["chains"][0]["path"][1] = EVIL
    grown["allocations"]["sites"][1]["size_kb"] = 2_500.0
    grown["heap_summary"]["containers"][0]["length"] = 60_000
    grown["trim"]["arenas"][3]["free_mb"] = 190.0
    expected = {"referrers": "+25,001", "allocations": "+2.0 MB", "heap_summary": "+10,000", "trim": "+30.0 MB"}
    for kind, text in expected.items():
        earlier, later = store_recording(process, kind), store_recording(process, kind, result=grown[kind])
        url = reverse("admin:memwatch_recording_difference", args=(later.pk,))
        assert f"{url}?other={earlier.pk}" in client.get(page(later)).content.decode()
        shown = client.get(url, {"other": earlier.pk}).content.decode()
        assert text in shown
        assert "<script>alert" not in shown
    misshapen = store_recording(process, "heap_summary", result={"types": [1]})
    url = reverse("admin:memwatch_recording_difference", args=(misshapen.pk,))
    assert "no result of its kind" in client.get(url, {"other": later.pk}, follow=True).content.decode()
    assert client.get(url, {"other": "x"}).status_code == 302


def test_what_is_not_there_leads_back(fleet: Fleet, login: Login) -> None:
    client = login("operator")
    process = fleet.process()
    for query in ({}, {"leak": "9999"}, {"process": "x"}, {"process": process.pk, "kind": "cause" * 9}):
        assert client.get(reverse(RECORD), query).status_code == 302, query
    assert client.get(reverse("admin:memwatch_recording_change", args=(9999,))).status_code == 302
    for query, said in (
        ({"leak": "9999"}, "There is no leak 9999 to record. It may have been pruned"),
        ({"process": "x", "kind": "referrers"}, "There is no process x to record"),
        ({"process": process.pk, "kind": "bogus"}, "no recording of that kind"),
        ({}, "with a button on the page of a leak or a process"),
    ):
        assert said in client.post(reverse(RECORD), query, follow=True).content.decode()
    for gone in (reverse("admin:memwatch_recording_flamegraph", args=(9999,)),
                 reverse("admin:memwatch_recording_download", args=(9999, "json"))):  # fmt: skip
        assert "There is no recording 9999" in client.get(gone, follow=True).content.decode()
    recording = store_recording(process)
    bad = client.get(reverse("admin:memwatch_recording_download", args=(recording.pk, "exe")), follow=True)
    assert "as json only" in bad.content.decode()


def buttons(may: bool = True, *, may_trim: bool = True, **context: Any) -> str:
    perms = {"memwatch": {"record_process": may, "view_recording": True, "trim_memory": may_trim}}
    return get_template("admin/memwatch/_record_buttons.html").render({"perms": perms, **context})


def test_the_buttons_are_those_that_make_sense(fleet: Fleet) -> None:
    process = fleet.process()
    leak = fleet.leak(process)
    native = fleet.leak(process, "native", kind="native")
    ended = fleet.process(slot=2, ended_at=timezone.now())
    assert [kind in buttons(leak=leak) for kind in ("record-cause", "record-referrers")] == [True, True]
    assert "record-referrers" not in buttons(leak=native)
    assert "record-cause" not in buttons(process=process)
    assert "record-heap_summary" in buttons(process=process)
    assert buttons(leak=leak, kind="allocations").count("<form") == 1
    assert [("record-trim" in buttons(leak=each)) for each in (leak, native)] == [False, True]
    assert "record-trim" in buttons(process=process)
    for forbidden in ({"process": process}, {"leak": native}, {"leak": native, "kind": "trim"}):
        assert "record-trim" not in buttons(may_trim=False, **forbidden)
    for nothing in (buttons(may=False, leak=leak), buttons(process=ended), buttons()):
        assert "<form" not in nothing


def test_the_list_takes_as_many_queries_for_many_as_for_few(
    fleet: Fleet, login: Login, django_assert_max_num_queries: Any
) -> None:
    client = login("root")
    for slot in range(1, 9):
        process = fleet.process(slot=slot)
        store_recording(process, "referrers", leak=fleet.leak(process))
    with django_assert_max_num_queries(14):
        shown = client.get(reverse("admin:memwatch_recording_changelist"))
    assert shown.status_code == 200


def test_a_site_without_an_admin_draws_its_templates() -> None:
    script = """
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", MEMWATCH={"AGENT": "off"},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "memwatch"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
)
django.setup()
from django.template import engines
print(engines["django"].from_string("{{ 1 }} drawn").render())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "1 drawn", done.stderr


def test_both_pages_begin_with_what_the_heap_says(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    leak = fleet.leak(process)
    result = {**found({**TRAIL, "bound": BOUND}), "garbage": {**GARBAGE, "frozen": 7}}
    recording = store_recording(process, "referrers", leak=leak, result=result)
    client = login("operator")
    for name, key in (("leak", leak.pk), ("recording", recording.pk)):
        shown = client.get(reverse(f"admin:memwatch_{name}_change", args=(key,))).content.decode()
        said = shown.index("93 % of them are garbage that waits for a full collection; none has run for 40 minutes.")
        assert said < shown.index("Most likely your code"), name
        assert "A cache of 1,024 entries, 61 % full" in shown, name
    assert "930 of them are garbage. 7 are frozen (gc.freeze()): the garbage collector skips them." in shown


def test_the_page_of_the_leak_and_that_of_the_recording_name_the_same_holder(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    leak = fleet.leak(process)
    recording = store_recording(process, "referrers", leak=leak, result=found(TRAIL))
    client = login("operator")
    for name, key in (("leak", leak.pk), ("recording", recording.pk)):
        shown = client.get(reverse(f"admin:memwatch_{name}_change", args=(key,))).content.decode()
        assert "Most likely your code" in shown, name
        assert "shopaudit/middleware.py:13" in shown, name
        assert "AuditTrail.trail" in shown, name
