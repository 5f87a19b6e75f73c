"""The pages one walks through: overview, process, slot across restarts."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from memwatch.models import Baseline, Process, Release
from memwatch.transport import TransportUnavailable
from tests.admin.conftest import EVIL, Fleet

Login = Callable[..., Client]
OVERVIEW = "admin:memwatch_overview_changelist"


def _page(process: Process, query: str = "") -> str:
    return reverse("admin:memwatch_process_change", args=(process.pk,)) + query


def _slot(process: Process, query: str = "") -> str:
    return reverse("admin:memwatch_process_slot", args=(process.service_id, process.host, process.slot_number)) + query


def _drawn(text: str) -> dict[str, Any]:
    raw = text.split('<script id="memwatch-charts" type="application/json">')[1].split("</script>", maxsplit=1)[0]
    return json.loads(raw)  # type: ignore[no-any-return]


def test_the_overview_says_in_a_sentence_what_leaks_where_since_when_and_until_when(fleet: Fleet, login: Login) -> None:
    for slot in (1, 2, 3):
        process = fleet.process("shop", slot)
        fleet.snapshot(process)
        leak = fleet.leak(process, time_to_exhaustion_s=12_030.0 + slot)
    answer = login("viewer").get(reverse(OVERVIEW))
    text = answer.content.decode()
    assert "1 leak is open. The worst:" in answer.context["headline"]
    assert "memory runs out in 3 h 20 min" in answer.context["headline"]
    assert answer.context["leaks"][0]["also"] == "and 2 more processes"
    assert len(answer.context["leaks"]) == 1
    assert leak.object_type in text


def test_the_overview_of_a_healthy_fleet_says_so_and_draws_its_last_hours(fleet: Fleet, login: Login) -> None:
    process = fleet.process(leaks_known=True)
    for minutes in range(30, 0, -1):
        fleet.snapshot(process, minutes_ago=minutes, rss_mb=200.0 - minutes)
    text = login("viewer").get(reverse(OVERVIEW)).content.decode()
    assert "Nothing leaks: 1 process is watched" in text
    assert "RSS of a process over 29 min: from 1" in text
    assert "+60.0 MB" in text


def test_the_overview_is_not_green_where_objects_were_counted_too_seldom(fleet: Fleet, login: Login) -> None:
    fleet.process(slot=1, leaks_known=True)
    slow = fleet.process(slot=2, census_interval_s=720.0, census_cpu_ms=3_600.0)
    fleet.snapshot(slow)
    text = login("viewer").get(reverse(OVERVIEW)).content.decode()
    assert "Nothing leaks" not in text
    assert "mw-verdict-good" not in text
    assert "No leak is open yet: 1 of 2 processes has too few counts of its objects to be sure." in text
    assert "web-2 is counted every 12 min: one count takes 3,600.0 ms of CPU" in text
    assert "CPU_BUDGET_PERCENT allows 0.5 % of a core" in text


def test_the_overview_says_at_once_that_memory_grows(fleet: Fleet, login: Login) -> None:
    began = fleet.now - timedelta(minutes=12)
    grows = {"growing_since": began, "growth_kib_per_hour": 554 * 1024}
    process = fleet.process(slot=1, **grows)
    fleet.process(slot=2, leaks_known=True, **grows)
    for each in Process.objects.all():
        fleet.snapshot(each)
    client = login("viewer")
    text = client.get(reverse(OVERVIEW)).content.decode()
    assert "No leak is open, but memory grows." in text
    assert "mw-verdict-medium" in text
    assert "web-1</a> grows by 554.0 MB an hour since" in text
    assert "its objects have not been counted often enough to say why." in text
    assert "no object type explains it yet." in text
    fleet.leak(process)
    text = client.get(reverse(OVERVIEW)).content.decode()
    assert "web-1</a> grows by" not in text
    assert "web-2</a> grows by" in text


def test_the_overview_says_what_is_wrong_when_no_report_arrives(fleet: Fleet, login: Login) -> None:
    fleet.process(last_seen_at=fleet.now - timedelta(hours=2))
    text = login("viewer").get(reverse(OVERVIEW)).content.decode()
    assert "No process has reported for 2 h" in text
    assert "Leaks are unknown: no process reports" in text
    assert "Nothing leaks" not in text
    assert "mw-verdict-good" not in text


def test_the_cost_of_watching_says_when_no_census_was_taken(fleet: Fleet, login: Login) -> None:
    process, client = fleet.process(), login("viewer")
    fleet.snapshot(process)
    text = client.get(reverse(OVERVIEW)).content.decode()
    assert "none of the last snapshots took a census" in text
    fleet.snapshot(process, census_pause_ms=12.0)
    assert "the longest; 12.0 ms on average" in client.get(reverse(OVERVIEW)).content.decode()


def test_the_overview_opens_when_the_transport_is_away(
    fleet: Fleet, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise TransportUnavailable("nobody answers at redis://there")

    fleet.process()
    # memwatch.queries has a function of the module's name.
    monkeypatch.setattr(importlib.import_module("memwatch.queries.deployment.stats"), "transport_state", away)
    text = login("viewer").get(reverse(OVERVIEW)).content.decode()
    assert "The transport cannot be reached: nobody answers at redis://there" in text


def test_what_happened_is_marked_in_the_charts_and_listed_under_them(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    fleet.snapshot(process, minutes_ago=30)
    fleet.snapshot(process)
    fleet.leak(process, EVIL, detected_at=fleet.now - timedelta(minutes=10))
    Release.objects.create(service=process.service, name="2.4", first_seen_at=fleet.now - timedelta(minutes=20))
    Baseline.objects.create(
        service=process.service, process=process, timestamp=fleet.now, reason="after <b>2.4</b>",
        created_at=fleet.now - timedelta(minutes=5),
    )  # fmt: skip
    text = login("viewer").get(_page(process)).content.decode()
    assert [marker["kind"] for marker in _drawn(text)["markers"]] == ["start", "release", "leak", "baseline"]
    assert escape(f"leak of {EVIL} detected") in text
    assert "release 2.4 first seen" in text
    assert "<b>2.4" not in text


def test_types_are_those_of_the_latest_census_where_the_last_snapshot_took_none(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    fleet.baseline(fleet.snapshot(process, minutes_ago=30, top_objects={"shop.Quote": 10}))
    fleet.snapshot(process, minutes_ago=3, top_objects={"shop.Quote": 5_010}, total_objects=70_123)
    fleet.snapshot(process, top_objects=None, total_objects=None)
    text = login("viewer").get(_page(process)).content.decode()
    for shown in ("+5,000", "70,123", "The last snapshot took no census"):
        assert shown in text, shown
    assert "shop.Quote" in {each["label"] for chart in _drawn(text)["charts"] for each in chart["series"]}


def test_the_range_is_in_the_url_and_what_is_wrong_with_it_is_said(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    for minutes in (170, 50, 5):
        fleet.snapshot(process, minutes_ago=minutes)
    client = login("viewer")
    assert client.get(_page(process, "?range=1h")).context["charts"]["points"] == 2
    since, until = (fleet.now - timedelta(minutes=each) for each in (60, 40))
    between = client.get(_page(process), {"from": since.isoformat(), "to": until.isoformat()})
    assert between.context["charts"]["points"] == 1
    backwards = client.get(_page(process), {"from": until.isoformat(), "to": since.isoformat()})
    assert "The end must be later than the start" in backwards.content.decode()
    nothing = client.get(_page(process), {"from": "2001-01-01T00:00", "to": "2001-01-02T00:00"}).content.decode()
    assert "No snapshots in this time" in nothing


def test_times_are_shown_in_the_zone_of_the_user(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    fleet.snapshot(process)
    client = login("viewer")
    with override_settings(TIME_ZONE="Asia/Kolkata"):
        timezone.deactivate()
        text = client.get(_page(process)).content.decode()
    assert "Times in Asia/Kolkata" in text
    assert _drawn(text)["timezone"] == "Asia/Kolkata"


def test_a_viewer_gets_no_button_and_an_operator_those_he_may_use(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    fleet.snapshot(process)
    viewer = login("viewer").get(_page(process)).content.decode()
    operator = login("operator").get(_page(process)).content.decode()
    for label in ("Snapshot now", "Reset baseline"):
        assert f">{label}</button>" not in viewer
        assert f">{label}</button>" in operator
    assert ">Compare</a>" in viewer


def test_a_slot_shows_its_processes_one_after_the_other(fleet: Fleet, login: Login) -> None:
    lives = []
    for place in range(3):
        start = fleet.now - timedelta(minutes=90 - 30 * place)
        life = fleet.process(
            started_at=start, first_seen_at=start,
            ended_at=start + timedelta(minutes=29) if place < 2 else None, end_reason="goodbye" if place < 2 else "",
        )  # fmt: skip
        for minute in (1, 10, 20):
            fleet.snapshot(life, minutes_ago=90 - 30 * place - minute, rss_mb=100.0 + minute)
        lives.append(life)
    client = login("viewer")
    page = client.get(_page(lives[1])).content.decode()
    assert _page(lives[0]) in page
    assert _page(lives[2]) in page
    assert escape(_slot(lives[1])) in page
    answer = client.get(_slot(lives[1], "?range=6h"))
    text = answer.content.decode()
    rss = _drawn(text)["charts"][0]["series"][0]
    assert rss["values"] == [101.0, 110.0, 120.0, None, 101.0, 110.0, 120.0, None, 101.0, 110.0, 120.0]
    links = [row[0].text for row in answer.context["lives"].rows]
    assert links == [f'<a href="{_page(life)}">pid {life.pid}</a>' for life in reversed(lives)]
    kinds = [marker["kind"] for marker in _drawn(text)["markers"]]
    assert kinds == ["start", "end", "start", "end", "start"]


def test_a_slot_that_nobody_held_leads_back_and_a_strange_host_has_its_page(fleet: Fleet, login: Login) -> None:
    process = fleet.process(host="a/b <script>alert(1)</script>")
    fleet.snapshot(process)
    client = login("viewer")
    answer = client.get(_slot(process))
    assert answer.status_code == 200
    assert b"<script>alert" not in answer.content
    assert client.get("/admin/memwatch/process/slot/99999/nowhere/7/").status_code == 302
    assert login("staff").get(_slot(process)).status_code == 403


def test_many_lives_take_as_many_queries_as_one(fleet: Fleet, login: Login) -> None:
    def live(count: int) -> Process:
        for place in range(count):
            ended = fleet.now - timedelta(minutes=3 + place)
            start = ended - timedelta(minutes=1)
            process = fleet.process(started_at=start, first_seen_at=start, ended_at=ended, end_reason="goodbye")
            fleet.snapshot(process, minutes_ago=3.5 + place)
        return process

    client = login("viewer")

    def queries(process: Process) -> int:
        client.get(_slot(process))
        with CaptureQueriesContext(connection) as captured:
            assert client.get(_slot(process)).status_code == 200
        return len(captured)

    few = queries(live(2))
    assert queries(live(15)) <= few <= 18


@pytest.mark.parametrize("query", ["?range=1h", "?range=7d", "?range=all", "?from=2026-01-01T00:00"])
def test_a_page_of_a_process_takes_a_bounded_number_of_queries_for_any_range(
    query: str, fleet: Fleet, login: Login
) -> None:
    process = fleet.process()
    for minutes in range(20, 0, -1):
        fleet.snapshot(process, minutes_ago=minutes)
    client = login("viewer")
    client.get(_page(process, query))
    with CaptureQueriesContext(connection) as captured:
        assert client.get(_page(process, query)).status_code == 200
    assert len(captured) <= 23
