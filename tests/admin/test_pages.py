"""What the pages show, to whom, and with how many queries."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from memwatch.models import (
    Alert,
    Anomaly,
    Command,
    Counter,
    ExpectedGrowth,
    Forecast,
    Leak,
    Lease,
    Notification,
    ObjectType,
    Process,
    Recording,
    Recycle,
    RecyclingPolicy,
    RejectedReport,
    Release,
    Snapshot,
    SnapshotRollup,
    Trigger,
    WorkName,
    WorkRollup,
)
from tests.admin.conftest import EVIL, Fleet

Login = Callable[..., Client]

MODELS = [model for model in apps.get_app_config("memwatch").get_models() if admin.site.is_registered(model)]
EDITABLE = {"expectedgrowth", "recyclingpolicy", "trigger"}


def _list(model: str, **query: object) -> str:
    text = "&".join(f"{key}={value}" for key, value in query.items())
    return reverse(f"admin:memwatch_{model}_changelist") + (f"?{text}" if text else "")


def _page(model: str, pk: object) -> str:
    return reverse(f"admin:memwatch_{model}_change", args=(pk,))


def _one_of_each(fleet: Fleet) -> dict[str, object]:
    """A row of every table, by model name."""
    process = fleet.process()
    first = fleet.snapshot(process, minutes_ago=60, heap_used_mb=100.0, total_objects=50_000)
    last = fleet.snapshot(process, minutes_ago=1)
    leak = fleet.leak(process)
    alert = Alert.objects.create(
        type="leak",
        severity="high",
        service=process.service,
        process=process,
        leak=leak,
        subject="x",
        message="It leaks",
    )
    name = WorkName.objects.create(kind="view", name=EVIL)
    return {
        "workname": name,
        "workrollup": WorkRollup.objects.create(
            service=process.service, work=name, period="hour", start=fleet.now, calls=3
        ),
        "service": process.service,
        "recommendation": process.service,
        "process": process,
        "snapshot": last,
        "baseline": fleet.baseline(first),
        "leak": leak,
        "release": Release.objects.create(service=process.service, name="2.4"),
        "objecttype": ObjectType.objects.first(),
        "snapshotrollup": SnapshotRollup.objects.create(
            process=process,
            period="hour",
            start=fleet.now,
            samples=60,
            figures={"rss_kib": [1024, 2048, 4096]},
            floors={},
        ),
        "expectedgrowth": ExpectedGrowth.objects.create(type_pattern="shop.cache.*", reason="it fills up"),
        "alert": alert,
        "anomaly": Anomaly.objects.create(
            service=process.service,
            process=process,
            kind="siblings",
            score=50.0,
            says=EVIL,
            comment=EVIL,
            figures={"rss": {"value": 9.0, "usual": 3.0, "ratio": 2.0}},
            since=fleet.now,
            changes=[{"kind": "release", "at": fleet.now.isoformat(), "says": EVIL}],
        ),
        "forecast": Forecast.objects.create(
            kind="process",
            subject=str(process.pk),
            host=EVIL,
            process=process,
            used_kib=9,
            limit_kib=10,
            earliest=fleet.now,
            likely=fleet.now,
        ),
        "notification": Notification.objects.create(alert=alert, event="raised", channel="mailto:a@b", payload={}),
        "command": Command.objects.create(
            wire_id="a" * 32, name="snapshot", process=process, snapshot_id=99_999, expires_at=fleet.now
        ),
        "recording": Recording.objects.create(
            process=process, kind="referrers", result={"type": EVIL}, wire_id="0" * 16, deadline=fleet.now
        ),
        "trigger": Trigger.objects.create(name="big leaks"),
        "recyclingpolicy": RecyclingPolicy.objects.create(service=process.service, limit_mb=300),
        "recycle": Recycle.objects.create(
            service=process.service, process=process, name=str(process), state="left", because="limit", why=EVIL
        ),
        "rejectedreport": RejectedReport.objects.create(reason="malformed", size=3, excerpt="<script>"),
        "counter": Counter.objects.create(name="memwatch_reports", value=1234),
        "lease": Lease.objects.create(name="detect", expires_at=fleet.now),
    }


def test_every_table_is_listed_searched_and_shown_to_a_viewer_who_can_change_nothing(
    fleet: Fleet, login: Login
) -> None:
    client = login("viewer")
    rows = _one_of_each(fleet)
    assert {model._meta.model_name for model in MODELS} == {*rows, "overview", "operations", "death", "trackrecord"}
    for name, row in rows.items():
        for url in (_list(name), _list(name, q="shop"), _page(name, row.pk)):  # type: ignore[attr-defined]
            answer = client.get(url)
            assert answer.status_code == 200, (url, answer.status_code)
            assert b"<script>alert" not in answer.content, url
        assert client.get(reverse(f"admin:memwatch_{name}_add")).status_code == 403
        delete = reverse(f"admin:memwatch_{name}_delete", args=(row.pk,))  # type: ignore[attr-defined]
        assert client.post(delete, {"post": "yes"}).status_code == 403


def test_not_even_a_superuser_adds_edits_or_deletes_figures(fleet: Fleet, login: Login) -> None:
    client = login("root")
    for name, row in _one_of_each(fleet).items():
        if name in EDITABLE:
            continue
        pk = row.pk  # type: ignore[attr-defined]
        assert client.get(reverse(f"admin:memwatch_{name}_add")).status_code == 403
        assert client.post(_page(name, pk), {"rss_kib": 1}).status_code in (403, 405), name
        assert client.post(reverse(f"admin:memwatch_{name}_delete", args=(pk,)), {"post": "yes"}).status_code == 403
        assert type(row).objects.filter(pk=pk).exists()  # type: ignore[attr-defined]


def test_staff_without_permissions_and_strangers_see_nothing(fleet: Fleet, login: Login) -> None:
    rows = _one_of_each(fleet)
    staff, stranger = login("staff"), Client()
    for name, row in rows.items():
        for url in (_list(name), _page(name, row.pk), _list("overview")):  # type: ignore[attr-defined]
            assert staff.get(url).status_code == 403, url
            assert stranger.get(url).status_code == 302, url


def test_the_list_of_processes_shows_figures_that_people_read(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    fleet.baseline(fleet.snapshot(process, minutes_ago=60, heap_used_mb=1000.0))
    fleet.snapshot(process)
    fleet.leak(process)
    text = login("viewer").get(_list("process")).content.decode()
    for shown in ("web-1", "alive", "140.2 MB", "1,234.5 MB", "241.1 %", "61,234", "+23.4 %"):
        assert shown in text, shown
    assert re.search(r">[23]\d s ago<", text)


def test_a_count_of_an_older_census_is_marked_with_its_age(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    fleet.snapshot(process, minutes_ago=3, total_objects=61_234)
    fleet.snapshot(process, total_objects=None, top_objects=None)
    text = login("viewer").get(_list("process")).content.decode()
    assert "61,234*" in text
    assert "Counted 3 min ago: the last snapshot took no census." in text


def test_a_process_seen_from_outside_says_why_it_has_no_heap(fleet: Fleet, login: Login) -> None:
    process = fleet.process(outside=True)
    fleet.snapshot(process, heap_used_mb=None, total_objects=None, top_objects=None)
    client = login("viewer")
    assert "It runs no agent" in client.get(_list("process")).content.decode()
    page = client.get(reverse("admin:memwatch_process_change", args=(process.pk,))).content.decode()
    assert "This process runs no agent" in page
    assert "since the baseline" not in page


def test_the_list_of_processes_shows_the_living_unless_asked(fleet: Fleet, login: Login) -> None:
    fleet.process(slot=1)
    fleet.process(slot=2, ended_at=fleet.now, end_reason=Process.End.STALE)
    client = login("viewer")
    assert "web-2" not in client.get(_list("process")).content.decode()
    assert "web-2" in client.get(_list("process", state="all")).content.decode()
    assert "web-1" not in client.get(_list("process", state="stale")).content.decode()


@pytest.mark.parametrize("model", ["process", "leak", "service", "overview"])
def test_a_long_list_takes_as_many_queries_as_a_short_one(model: str, fleet: Fleet, login: Login) -> None:
    client = login("root")

    def grow(count: int, start: int) -> None:
        for slot in range(start, start + count):
            process = fleet.process(service=f"s{slot % 7}", slot=slot)
            first = fleet.snapshot(process, minutes_ago=9)
            fleet.baseline(first)
            fleet.snapshot(process)
            fleet.leak(process, f"shop.Type{slot}")

    def queries() -> int:
        client.get(_list(model))
        with CaptureQueriesContext(
            connection,
        ) as captured:
            answer = client.get(_list(model))
        assert answer.status_code == 200
        return len(captured)

    grow(7, 1)
    few = queries()
    grow(43, 8)
    assert queries() == few
    assert few <= (30 if model == "overview" else 16)


def test_snapshots_are_never_counted_and_go_page_by_page(fleet: Fleet, login: Login) -> None:
    process, other = fleet.process(), fleet.process("worker", release=None, host="node-b")
    for minutes in range(60, 0, -1):
        fleet.snapshot(process, minutes_ago=minutes)
    last = fleet.snapshot(other)
    client = login("viewer")
    with CaptureQueriesContext(connection) as captured:
        everything = client.get(_list("snapshot"))
        found = client.get(_list("snapshot", q="node-b"))
        client.get(_list("snapshot", process__id__exact=process.pk))
    own = [query["sql"] for query in captured if '"memwatch_snapshot"' in query["sql"]]
    assert not any("COUNT(" in sql for sql in own)
    assert not any('"memwatch_snapshot"."counts"' in sql for sql in own)
    assert [row.pk for row in found.context["cl"].result_list] == [last.pk]
    assert len(everything.context["cl"].result_list) == 50
    older = client.get(_list("snapshot") + everything.context["cl"].older)
    assert len(older.context["cl"].result_list) == 11
    assert older.context["cl"].older == ""
    newer = client.get(_list("snapshot") + older.context["cl"].newer)
    assert list(newer.context["cl"].result_list) == list(everything.context["cl"].result_list)
    for nonsense in ("before=x", "after=1.1.1", "process__id__exact=x", "process__service__id__exact=-1", "q=%00"):
        assert client.get(_list("snapshot") + f"?{nonsense}").status_code in (200, 302, 400), nonsense


def test_two_selected_snapshots_are_compared(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    rows = [fleet.snapshot(process, minutes_ago=minutes) for minutes in (9, 5, 1)]
    client = login("viewer")
    chosen = {"action": "compare_two", "_selected_action": [rows[2].pk, rows[0].pk]}
    answer = client.post(_list("snapshot"), chosen)
    compare = reverse("admin:memwatch_snapshot_compare")
    assert answer.headers["Location"] == f"{compare}?from={rows[0].pk}&to={rows[2].pk}"
    chosen["_selected_action"] = [rows[0].pk]
    assert "Select exactly two snapshots" in client.post(_list("snapshot"), chosen, follow=True).content.decode()


def test_the_page_of_a_process_compares_its_types_with_the_baseline(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    fleet.baseline(fleet.snapshot(process, minutes_ago=120, top_objects={"dict": 9_000, "shop.leaks.PriceQuote": 200}))
    fleet.snapshot(process, minutes_ago=5)
    fleet.leak(process)
    answer = login("viewer").get(_page("process", process.pk))
    text = answer.content.decode()
    assert "shop.leaks.PriceQuote" in answer.context["types"].rows[0][0].text
    for shown in ("+4,000", "+2,000.0 %", "list of bytes", "shop.leaks.PARTS", "512.0 MB"):
        assert shown in text, shown
    assert escape(EVIL) in text


def test_the_page_of_a_process_says_how_its_objects_are_counted(fleet: Fleet, login: Login) -> None:
    process = fleet.process(census_method=f"fallback: {EVIL}")
    text = login("viewer").get(_page("process", process.pk)).content.decode()
    assert "Objects counted by" in text
    assert f"fallback: {escape(EVIL)}" in text


def test_the_page_of_a_process_takes_a_bounded_number_of_queries(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    for minutes in range(60, 0, -1):
        row = fleet.snapshot(process, minutes_ago=minutes)
    fleet.baseline(row)
    for number in range(10):
        fleet.leak(process, f"shop.Type{number}")
    client = login("viewer")
    with CaptureQueriesContext(connection) as captured:
        assert client.get(_page("process", process.pk)).status_code == 200
    assert len(captured) <= 22


def test_the_chart_and_its_table_tell_the_same_and_survive_hostile_names(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    fleet.snapshot(process, minutes_ago=10, rss_mb=100.0)
    fleet.snapshot(process, minutes_ago=5, rss_mb=104.0)
    leak = fleet.leak(process, EVIL)
    text = login("viewer").get(_page("leak", leak.pk)).content.decode()
    raw = text.split('<script id="memwatch-charts" type="application/json">')[1].split("</script>")[0]
    data = json.loads(raw)
    first, memory = (chart["series"][0] for chart in data["charts"][:2])
    assert (first["label"], first["values"]) == (EVIL, [77, 77])
    assert memory["values"] == [100.0, 104.0]
    assert "100.0 MB" in text
    assert "<script>alert" not in text


def test_a_process_with_no_snapshot_one_or_a_pruned_one_has_a_page(fleet: Fleet, login: Login) -> None:
    client = login("viewer")
    none, one, pruned, unmeasured = (fleet.process(slot=slot) for slot in range(1, 5))
    fleet.snapshot(one)
    fleet.snapshot(pruned)
    Snapshot.objects.filter(process=pruned)._raw_delete("default")
    nothing = dict.fromkeys(
        ("heap_size_mb", "heap_used_mb", "rss_mb", "total_objects", "top_objects", "big_containers")
    )
    fleet.baseline(fleet.snapshot(unmeasured, **nothing))
    for process in (none, one, pruned, unmeasured):
        assert client.get(_page("process", process.pk)).status_code == 200
    assert "No snapshot yet" in client.get(_page("process", none.pk)).content.decode()
    assert client.get(_list("process")).status_code == 200
    assert client.get(_list("overview")).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "range=all",
        "range=<script>",
        "range=",
        "from=2026-01-02T00:00&to=2026-01-01T00:00",
        "from=<script>",
        "to=0001-01-01T00:00",
        "from=9999-12-31T23:59:59%2B00:00",
        "from=2026-01-01T00:00:00Z",
        "to=%00",
        "from=2099-01-01&to=2099-02-01",
        "from=1990-01-01&to=1991-01-01",
    ],
)
def test_any_range_in_the_url_gives_a_page(query: str, fleet: Fleet, login: Login) -> None:
    process, client = fleet.process(), login("viewer")
    fleet.snapshot(process)
    leak = fleet.leak(process)
    slot = reverse("admin:memwatch_process_slot", args=(process.service_id, process.host, process.slot_number))
    for url in (_page("process", process.pk), _page("leak", leak.pk), _page("service", process.service_id), slot):
        answer = client.get(f"{url}?{query}")
        assert answer.status_code == 200, url
        assert b"<script>&" not in answer.content


def test_the_page_of_a_leak_begins_with_the_verdict(fleet: Fleet, login: Login) -> None:
    leak = fleet.leak(fleet.process(), snoozed_until=fleet.now + timedelta(days=1), state="snoozed")
    text = login("viewer").get(_page("leak", leak.pk)).content.decode()
    assert text.index(leak.verdict) < text.index("3 h 20 min") < text.index("Why this is a leak")
    assert "snoozed until" in text
    assert "statistics: tau" in text


def test_a_leak_of_a_whole_service_has_a_page_without_a_process(fleet: Fleet, login: Login) -> None:
    leak = fleet.leak(fleet.process())
    Leak.objects.update(process=None)
    assert login("viewer").get(_page("leak", leak.pk)).status_code == 200


def test_a_page_that_is_not_there_leads_back(login: Login) -> None:
    answer = login("viewer").get(_page("process", 12345))
    assert answer.status_code == 302
    assert login("root").get(_page("leak", "x'y")).status_code == 302


def test_the_overview_is_in_the_index_and_tells_how_the_fleet_is(fleet: Fleet, login: Login) -> None:
    client = login("viewer")
    assert "No process reports yet" in client.get(_list("overview")).content.decode()
    process = fleet.process(last_seen_at=fleet.now - timedelta(hours=1))
    fleet.snapshot(process)
    fleet.leak(process)
    fleet.leak(process, "shop.models.Customer", severity="critical")
    text = client.get(_list("overview")).content.decode()
    assert "■ 1 critical, ▲ 1 high" in text
    assert "1 silent" in text
    assert text.index("shop.models.Customer") < text.index("shop.leaks.PriceQuote")
    assert _list("overview") in client.get(reverse("admin:index")).content.decode()
