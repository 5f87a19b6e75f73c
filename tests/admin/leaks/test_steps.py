"""The page of a leak as an investigation: what is known, what is not measured yet, and what would measure it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from memwatch.admin import formats, runbooks
from memwatch.models import Leak, LeakEvent, Process, Recording, Release
from memwatch.services.recordings import heap_analyses, requests, storage
from tests.admin.conftest import EVIL, Fleet
from tests.services.conftest import transport_url
from tests.services.recorded import store_recording
from tests.services.recordings.dumps import store_dump

__all__ = ["transport_url"]

Login = Callable[..., Client]

RUNBOOK = Path(__file__).parents[3] / "docs/runbooks/MemoryLeakDetected.md"


def _url(leak: Leak, query: str = "") -> str:
    return reverse("admin:memwatch_leak_change", args=(leak.pk,)) + query


def _grown(fleet: Fleet, **values: Any) -> Process:
    """A process that grew over half an hour: RSS by 29 MB, its heap by nearly as much."""
    process = fleet.process(**values)
    for minutes in range(30, 0, -1):
        fleet.snapshot(
            process,
            minutes_ago=minutes,
            rss_mb=200.0 - minutes,
            heap_used_mb=150.0 - minutes,
            heap_size_mb=512.0,
            top_objects={"dict": 9_000, "shop.leaks.PriceQuote": 4_200 - 100 * minutes},
        )
    return process


def _steps(client: Client, leak: Leak) -> dict[str, Any]:
    answer = client.get(_url(leak))
    assert answer.status_code == 200
    return {step.key: step for step in answer.context["steps"]}


def test_the_chain_goes_from_the_memory_of_the_process_down_to_the_release(fleet: Fleet, login: Login) -> None:
    leak = fleet.leak(_grown(fleet), started_at=fleet.now - timedelta(minutes=30))
    steps = _steps(login("viewer"), leak)
    assert list(steps) == ["rss", "heap", "types", "work", "grows-with", "allocations", "referrers", "release"]
    assert steps["rss"].answer == "Yes: RSS rose from 170.0 MB to 199.0 MB in 29 min (+29.0 MB)."
    assert steps["heap"].answer.startswith("Yes: 100.0 % of the growth of RSS (+29.0 MB)")
    assert "shop.leaks.PriceQuote" in steps["types"].answer
    assert not steps["allocations"].known
    assert "Not recorded yet" in steps["referrers"].missing


def test_growth_outside_the_heap_is_told_as_that(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    for minutes in range(20, 0, -1):
        fleet.snapshot(process, minutes_ago=minutes, rss_mb=300.0 - 5 * minutes, heap_used_mb=80.0)
    steps = _steps(login("viewer"), fleet.leak(process, "native", kind="native"))
    assert steps["heap"].answer.startswith("No: RSS changed by +95.0 MB, the heap in use only by 0.0 MB.")


def test_what_holds_it_and_grows_with_it_is_named(fleet: Fleet, login: Login) -> None:
    evidence = {
        "grows_with": ["shop.leaks.Line"],
        "container": {"type": "dict", "name": "shop.leaks.QUOTES", "length": 4_200, "holds": "shop.leaks.PriceQuote"},
    }
    steps = _steps(login("viewer"), fleet.leak(fleet.process(), evidence=evidence))
    assert "shop.leaks.QUOTES" in steps["grows-with"].answer
    said = {str(line.label): str(line.value) for line in steps["grows-with"].lines}
    assert said["Grows with it"] == "shop.leaks.Line"
    assert "shop.leaks.QUOTES" in said["Held in"]


def test_leaks_beside_it_are_named_those_that_grow_most_like_it_first(fleet: Fleet, login: Login) -> None:
    process, elsewhere = fleet.process(), fleet.process(slot=2)
    leak = fleet.leak(process)
    client = login("operator")
    assert "No other type grows in step" in _steps(client, leak)["grows-with"].missing
    fleet.leak(process, "shop.Far", growth_count=9)
    near = fleet.leak(process, "shop.Near", growth_count=4_001)
    fleet.leak(process, "shop.Over", state="resolved")
    fleet.leak(elsewhere, "shop.Elsewhere")
    step = _steps(client, leak)["grows-with"]
    assert step.answer == "The process has other leaks. One that grows by nearly as much probably has the same cause."
    (line,) = step.lines
    assert line.value.index("shop.Near</a> (+4,001)") < line.value.index("shop.Far")
    assert _url(near) in line.value
    assert "shop.Over" not in line.value
    assert "shop.Elsewhere" not in line.value


def test_what_holds_it_has_a_button_that_measures_it(fleet: Fleet, login: Login) -> None:
    client = login("operator")
    for slot, kind, button in ((1, "objects", "record-referrers"), (2, "native", "record-heap_summary")):
        leak = fleet.leak(fleet.process(slot=slot), "x.Y", kind=kind)
        page = client.get(_url(leak)).content.decode()
        step = page[page.index('id="step-grows-with"') : page.index('id="step-allocations"')]
        assert "not measured yet" in step
        assert f'data-act="{button}"' in step


def test_a_finished_recording_answers_its_step_and_is_linked(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    leak = fleet.leak(process)
    site = {"file": "shop/leaks.py", "line": 41, "function": "quote", "of_type": True}
    Recording.objects.create(
        wire_id="a" * 16,
        process=process,
        leak=leak,
        kind="allocations",
        state="done",
        result={"sites": [{"file": "x.py"}, site]},
    )
    Recording.objects.create(
        wire_id="b" * 16, process=process, leak=leak, kind="referrers", state="failed", error="the process ended"
    )
    client = login("viewer")
    steps = _steps(client, leak)
    assert "shop/leaks.py:41" in steps["allocations"].answer
    assert "quote" in steps["allocations"].answer
    assert not steps["referrers"].known
    page = client.get(_url(leak)).content.decode()
    assert "the process ended" in page
    assert all(reverse("admin:memwatch_recording_change", args=(row.pk,)) in page for row in Recording.objects.all())


def test_what_recordings_found_is_shown_only_to_those_who_may_view_them(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    leak = fleet.leak(process)
    store_recording(process, "allocations", leak=leak, result={"sites": [{"file": "shop/leaks.py", "line": 41}]})
    steps = _steps(login("leaks", "view_leak"), leak)
    assert not steps["allocations"].known
    assert "You need the permission" in steps["allocations"].missing
    assert "Not recorded yet" not in steps["referrers"].missing
    assert steps["allocations"].recordings == []
    assert "shop/leaks.py:41" in _steps(login("recordings", "view_leak", "view_recording"), leak)["allocations"].answer


def test_leak_and_recording_name_the_same_holder(fleet: Fleet, login: Login) -> None:
    seen = {"type": "dict", "name": "shop.cache.RECENT", "length": 4_200, "holds": "shop.leaks.PriceQuote"}
    leak = fleet.leak(fleet.process(), evidence={"container": seen})
    client = login("viewer")
    assert "held in shop.cache.RECENT" in client.get(_url(leak)).context["subtitle"]
    recording = store_recording(leak.process, "referrers", leak=leak)
    shown = client.get(_url(leak))
    step = {step.key: step for step in shown.context["steps"]}["grows-with"]
    told = " ".join([str(shown.context["subtitle"]), str(step.answer), *(str(line.value) for line in step.lines)])
    assert "shop.leaks.QUOTES" in told
    assert "shop.cache.RECENT" not in told
    page = client.get(reverse("admin:memwatch_recording_change", args=(recording.pk,))).content.decode()
    assert "shop.leaks.QUOTES" in page
    assert "shop.cache.RECENT" not in page


def test_the_release_that_brought_it_is_named(fleet: Fleet, login: Login) -> None:
    old = fleet.process(slot=1, ended_at=fleet.now - timedelta(days=1))
    before = Release.objects.create(service=old.service, name="2.3", first_seen_at=fleet.now - timedelta(days=9))
    came = Release.objects.create(service=old.service, name="2.4", first_seen_at=fleet.now - timedelta(days=1))
    Process.objects.filter(pk=old.pk).update(release=before)
    leak = fleet.leak(fleet.process(slot=2, release=came))
    answer = _steps(login("viewer"), leak)["release"].answer
    assert answer == "It came with release 2.4: the only process of the earlier releases did not have it."
    Leak.objects.create(
        service=old.service, process=old, object_type=leak.object_type, severity="low", state="resolved",
        initial_count=1, current_count=2, growth_count=1, growth_percent=100.0,
    )  # fmt: skip
    client = login("root")
    assert _steps(client, leak)["release"].answer == "The oldest known release, 2.3, already had it."


def test_the_rules_are_told_as_questions_with_what_each_found(fleet: Fleet, login: Login) -> None:
    rules = [
        {"rule": "trend", "outcome": "passed", "sentence": "Mann-Kendall p = 0.0008 (below 0.05)"},
        {"rule": "paused", "outcome": "not applicable", "sentence": "there are enough points"},
        {"rule": "of_tomorrow", "outcome": "surprised", "sentence": "<b>" + "x" * 5_000},
        "nonsense",
    ]
    why_not = {
        "at": fleet.now.isoformat(),
        "sentence": "it has stopped",
        "rules": [{"rule": "still_growing", "outcome": "failed"}],
    }
    leak = fleet.leak(
        fleet.process(), evidence={"rules": rules, "why_not": why_not}, last_seen_at=fleet.now - timedelta(hours=1)
    )
    answer = login("viewer").get(_url(leak))
    text = answer.content.decode()
    assert [row.question for row in answer.context["rules"]] == [
        "Do they rise steadily?", "Do its very last points still rise?", "of tomorrow",
    ]  # fmt: skip
    assert "supports a leak" in text
    assert "it has stopped" in text
    assert "Does it grow to the end?" in text
    assert "<b>xx" not in text


def test_a_resolved_leak_says_who_closed_it_and_why(fleet: Fleet, login: Login) -> None:
    leak = fleet.leak(fleet.process(), state="resolved", resolved_at=fleet.now)
    LeakEvent.objects.create(leak=leak, kind="resolved", comment="stopped growing: a warm-up")
    assert "by memwatch: stopped growing: a warm-up" in login("viewer").get(_url(leak)).content.decode()


def test_a_leak_that_is_over_is_told_as_over_and_nowhere_in_the_colour_of_its_severity(
    fleet: Fleet, login: Login
) -> None:
    leak = fleet.leak(_grown(fleet), state="resolved", severity="critical", resolved_at=fleet.now)
    LeakEvent.objects.create(leak=leak, kind="resolved", comment="stopped growing: a warm-up")
    shown = login("viewer").get(_url(leak))
    text = shown.content.decode()
    assert (shown.context["tone"], "mw-verdict-critical" in text, "mw-severity-critical" in text) == (
        "resolved", False, False,
    )  # fmt: skip
    assert "stopped growing: a warm-up" in shown.context["verdict"]
    assert "was critical" in text
    assert "Last verdict:" in text
    assert leak.exhausted_at is None
    memory = {chart.id: chart for chart in shown.context["charts"]["charts"]}["mw-chart-memory"]
    assert memory.note == "The leak is over. There is no projection."


def test_when_memory_runs_out_is_the_same_on_every_part_of_the_page(fleet: Fleet, login: Login) -> None:
    process = _grown(fleet)
    process.snapshots.update(heap_limit_kib=None)
    leak = fleet.leak(process, time_to_exhaustion_s=40.415 * 3600, last_seen_at=fleet.now - timedelta(hours=2))
    client = login("viewer")
    with time_machine.travel(fleet.now, tick=False):
        shown = client.get(_url(leak))
        other = client.get(reverse("admin:memwatch_process_change", args=(process.pk,)))
    tile = next(line for line in shown.context["tiles"] if line.label == "Memory runs out in")
    limit = next(line for line in shown.context["figures_lines"] if line.label == "Limit")
    note = {chart.id: chart for chart in shown.context["charts"]["charts"]}["mw-chart-memory"].note
    assert tile.value == formats.duration(leak.time_left_s(fleet.now))
    assert str(tile.value).startswith("38 h")
    assert str(limit.value).endswith(f"in {tile.value}")
    assert "memory does not run out" not in note
    assert str(formats.exact(leak.exhausted_at)) in note
    (row,) = other.context["leaks"]
    assert row["exhaustion"] == tile.value


def test_the_curve_has_its_floor_its_trend_with_bounds_and_where_it_leads(fleet: Fleet, login: Login) -> None:
    begin = (fleet.now - timedelta(minutes=30)).timestamp()
    trend = {
        "axis": "time", "unit": "objects", "start": [begin, 1_200.0], "end": begin + 1_740, "slope": 6_000.0,
        "low": 5_900.0, "high": 6_100.0, "floors": [[begin, 1_200.0], [begin + 1_740, 4_100.0]],
    }  # fmt: skip
    leak = fleet.leak(
        _grown(fleet), evidence={"trend": trend}, time_to_exhaustion_s=600.0, started_at=fleet.now - timedelta(hours=1)
    )
    charts = login("viewer").get(_url(leak)).context["charts"]
    drawn = {chart.id: chart for chart in charts["charts"]}
    growth, memory = drawn["mw-chart-type"], drawn["mw-chart-memory"]
    fitted, own, floor = growth.series
    assert (fitted.style, own.label, floor.style) == ("dashed", "shop.leaks.PriceQuote", "points")
    assert fitted.values[-1] == pytest.approx(1_200 + 6_000 * 1_740 / 3_600)
    assert fitted.low[-1] < fitted.values[-1] < fitted.high[-1]
    assert "+6,000 per hour" in growth.note
    assert memory.series[-1].values == [pytest.approx(199.0), pytest.approx(512.0)]
    assert [level.value for level in memory.levels] == [512.0]
    assert "512.0 MB is reached at" in memory.note


def test_a_limit_far_away_is_told_and_the_chart_keeps_its_scale(fleet: Fleet, login: Login) -> None:
    leak = fleet.leak(_grown(fleet), time_to_exhaustion_s=40 * 86_400.0, started_at=fleet.now - timedelta(minutes=30))
    memory = login("viewer").get(_url(leak)).context["charts"]["charts"][-1]
    assert memory.levels == []
    assert max(memory.series[-1].values) < 210
    assert "512.0 MB is reached at" in memory.note


HOSTILE: list[Any] = [
    [],
    "text",
    {"trend": None, "rules": None, "statistics": None, "container": None, "follow_up": None, "why_not": 7},
    {"trend": {"axis": "time"}, "rules": [1, None, {}], "grows_with": {"a": 1}},
    {"trend": {"axis": "time", "start": [1e300, 1], "end": 1, "slope": 1, "low": 1, "high": 1}},
    {"trend": {"axis": "time", "start": [0, "x"], "end": None, "slope": "NaN", "low": [], "high": {}}},
    {"trend": {"axis": "work", "start": [0, 1], "end": 1, "slope": 1, "low": 1, "high": 1, "floors": [[0, 1]]}},
    {"container": {"name": EVIL, "type": EVIL, "holds": EVIL, "token": "x"}, "grows_with": [EVIL] * 500},
    {"statistics": {f"figure {number}": {"deep": [EVIL] * 50} for number in range(500)}},
    {"why_not": {"at": "yesterday", "rules": "x"}, "rules": [{"rule": EVIL, "outcome": EVIL, "sentence": EVIL}]},
]


@pytest.mark.parametrize("whole_service", [False, True])
def test_no_evidence_breaks_the_page(whole_service: bool, fleet: Fleet, login: Login) -> None:
    leak, client = fleet.leak(_grown(fleet), EVIL, verdict=EVIL), login("root")
    if whole_service:
        Leak.objects.update(process=None)
    for evidence in HOSTILE:
        Leak.objects.update(evidence=evidence)
        answer = client.get(_url(leak))
        assert answer.status_code == 200, evidence
        assert b"<script>alert" not in answer.content, evidence


@pytest.mark.parametrize("kind", Leak.Kind.values)
def test_a_leak_of_an_ended_process_without_snapshots_has_a_page(kind: str, fleet: Fleet, login: Login) -> None:
    process = fleet.process(ended_at=fleet.now - timedelta(minutes=3))
    leak = fleet.leak(
        process, kind, kind=kind, started_at=None, growth_per_hour=None, time_to_exhaustion_s=1e300, verdict=""
    )
    client = login("operator")
    text = client.get(_url(leak)).content.decode()
    assert "the process ended" in text
    assert 'data-act="snapshot"' not in text
    assert "not measured yet" in text
    assert client.get(_url(leak, "?from=2026-02-01T00:00&to=2026-01-01T00:00")).status_code == 200
    assert client.get(_url(leak, "?range=<script>")).status_code == 200


@pytest.mark.parametrize(
    ("kind", "chart", "first"),
    [
        ("native", "mw-chart-native", 20.0),
        ("untracked", "mw-chart-blocks", 1e3),
    ],
)
def test_memory_without_a_type_is_drawn_as_what_grows(
    kind: str, chart: str, first: float, fleet: Fleet, login: Login
) -> None:
    process = fleet.process()
    for minute in range(10):
        fleet.snapshot(
            process, minutes_ago=10 - minute, heap_used_mb=50.0 + minute, pymalloc_used_mb=30.0, rss_mb=90.0 + minute,
            heap_committed_mb=60.0 + 2 * minute, allocated_blocks=1000 + minute,
        )  # fmt: skip
    leak = fleet.leak(process, kind, kind=kind, started_at=fleet.now - timedelta(minutes=10))
    drawn = {each["id"]: each for each in login("viewer").get(_url(leak)).context["charts"]["data"]["charts"]}
    fitted, line, _floor = drawn[chart]["series"]
    assert (line["values"][0], line["values"][-1]) == (first, first + 9)
    assert fitted["values"][1] > fitted["values"][0]


def _recycled(fleet: Fleet, **values: Any) -> Leak:
    """A leak that four workers had, one after the other in a slot, each of nine minutes and ninety requests."""
    for life in range(4):
        ended = fleet.now - timedelta(minutes=10 * (3 - life))
        process = fleet.process(started_at=ended - timedelta(minutes=9), first_seen_at=ended, ended_at=ended)
        for minute in range(9):
            fleet.snapshot(
                process, minutes_ago=10 * (3 - life) + 9 - minute, rss_mb=100.0 + minute, heap_used_mb=50.0 + minute,
                requests_handled=10 * minute, top_objects={"shop.leaks.PriceQuote": 1000 * life + 100 * minute},
            )  # fmt: skip
    leak = fleet.leak(process, started_at=fleet.now - timedelta(minutes=45), **values)
    Leak.objects.filter(pk=leak.pk).update(process=None)
    return leak


def test_a_leak_of_recycled_workers_is_drawn_life_after_life(fleet: Fleet, login: Login) -> None:
    leak = _recycled(fleet)
    Release.objects.create(service=leak.service, name="2.4", first_seen_at=fleet.now - timedelta(minutes=20))
    answer = login("viewer").get(_url(leak))
    memory = answer.context["charts"]["charts"][-1]
    assert [series.label for series in memory.series] == ["web-1"]
    assert sum(value is None for value in memory.series[0].values) == 3
    assert {"release"} <= {marker.kind for marker in answer.context["charts"]["markers"]}
    text = answer.content.decode()
    assert "Yes: RSS rose from 100.0 MB to 108.0 MB in 8 min (+8.0 MB)." in text
    assert "a typical one" in text
    assert "Recycling hides this leak" in text


@pytest.mark.parametrize(("axis", "last", "along"), [("age", 480.0, "8 min"), ("work", 80.0, "80")])
def test_pooled_lives_are_laid_over_each_other_with_the_trend_that_was_fitted(
    axis: str, last: float, along: str, fleet: Fleet, login: Login
) -> None:
    slope = 6_000.0 if axis == "age" else 10.0
    trend = {
        "axis": axis, "unit": "objects", "start": [0.0, 1500.0], "end": last, "slope": slope, "low": slope * 0.9,
        "high": slope * 1.1, "floors": [[last * part / 8, 1500.0 + 100 * part] for part in range(9)],
    }  # fmt: skip
    leak = _recycled(fleet, evidence={"trend": trend, "rule": "pooled"})
    answer = login("viewer").get(_url(leak))
    (drawn,) = (chart for chart in answer.context["charts"]["data"]["charts"] if chart["id"] == "mw-chart-pooled")
    assert drawn["axis"]["kind"] == axis
    lives, fitted, together = drawn["series"]
    assert fitted["times"] == [0.0, last]
    assert fitted["values"] == pytest.approx([1500.0, 2300.0])
    assert fitted["low"][1] < fitted["values"][1] < fitted["high"][1]
    assert together["values"][-1] == 2300.0
    assert lives["values"].count(None) == 4
    # Each life began at another level: laid over each other they coincide.
    assert lives["values"][0] == pytest.approx(lives["values"][10])
    assert max(lives["times"]) == last
    text = answer.content.decode()
    assert f'<tr><th scope="row">{along}</th><td class="mw-number">2,300</td></tr>' in text
    assert "It rises by" in text


@pytest.mark.parametrize(
    "trend", [{"axis": "age"}, {"axis": "work", "start": "x"}, {"axis": "age", "start": [0, None]}]
)
def test_a_pooled_trend_that_cannot_be_read_is_not_drawn(trend: Any, fleet: Fleet, login: Login) -> None:
    answer = login("viewer").get(_url(_recycled(fleet, evidence={"trend": trend})))
    assert answer.status_code == 200
    assert "mw-chart-pooled" not in answer.content.decode()


def test_the_page_takes_as_many_queries_for_much_as_for_little(fleet: Fleet, login: Login) -> None:
    client = login("operator")
    little, much = fleet.leak(fleet.process(slot=1)), fleet.leak(_grown(fleet, slot=2))
    for number in range(12):
        Release.objects.create(service=much.service, name=f"3.{number}")
        Recording.objects.create(
            wire_id=f"{number:016}", process=much.process, leak=much, kind="referrers", state="done"
        )  # type: ignore[misc]
        LeakEvent.objects.create(leak=much, kind="comment", by_id=client.session["_auth_user_id"], comment="looking")
    counts = []
    for leak in (little, much):
        client.get(_url(leak))
        with CaptureQueriesContext(connection) as captured:
            client.get(_url(leak))
        counts.append(len(captured))
    assert max(counts) <= 30
    assert counts[1] - counts[0] <= 6


def test_every_pattern_leads_to_its_section_of_the_runbook(settings: Any, fleet: Fleet, login: Login) -> None:
    settings.MEMWATCH = {"RUNBOOK_URL": "https://wiki.example.org/runbooks/"}
    heads = [line.lstrip("# ").strip() for line in RUNBOOK.read_text().splitlines() if line.startswith("#")]
    anchors = {head.lower().replace(",", "").replace(" ", "-") for head in heads}
    patterns = [value for value in vars(runbooks).values() if isinstance(value, runbooks.Pattern)]
    assert len(patterns) == 4
    assert {pattern.anchor for pattern in patterns} <= anchors
    for name in runbooks.OF_ALERTS.values():
        assert RUNBOOK.with_name(f"{name}.md").exists(), name
    page = login("viewer").get(_url(fleet.leak(fleet.process()))).content.decode()
    wanted = "https://wiki.example.org/runbooks/MemoryLeakDetected.md#objects-that-something-keeps-alive"
    assert f'href="{wanted}"' in page


def test_a_snapshot_from_the_leaks_page_leads_back_to_it(fleet: Fleet, login: Login) -> None:
    process = _grown(fleet)
    leak, client = fleet.leak(process), login("operator")
    assert 'data-act="snapshot"' in client.get(_url(leak)).content.decode()
    url = reverse("admin:memwatch_leak_act", args=(leak.pk, "snapshot"))
    done = client.post(url)
    assert (done.status_code, done["Location"]) == (302, _url(leak))
    assert process.commands.get().name == "snapshot"
    assert login("half", "view_leak", "act_on_leak").post(url).status_code == 403


@pytest.fixture
def dump(fleet: Fleet, transport_url: str, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Recording:
    """An analysed one, of a process with a leak."""
    assert transport_url
    monkeypatch.setattr(requests, "REFUSAL_WAIT_S", 0.0)
    settings.MEMWATCH = {**getattr(settings, "MEMWATCH", {}), "RECORDINGS_FOLDER": str(tmp_path / "recordings")}
    dump = store_dump(fleet.process(), tmp_path, "attribute_of_an_instance")
    heap_analyses.analysis(dump)
    return dump


def test_a_heap_dump_says_what_keeps_the_objects_and_what_would_be_freed(
    fleet: Fleet, login: Login, dump: Recording
) -> None:
    leak = fleet.leak(dump.process, "shop.leaks.Quote")
    client = login("operator")
    step = _steps(client, leak)["heap-dump"]
    assert step.answer.startswith("There are 40 objects of 3.9 KB. Without them 5.9 KB would be free.")
    assert step.table is not None
    ((holder, _place, count, retained),) = step.table.rows
    assert "shop.leaks.AuditTrail.trail" in holder.text
    assert "module shop.leaks: dict" in holder.text
    assert (count.text, retained.text) == ("40", "5.9 KB")
    (link,) = re.findall(r'href="([^"]+/heap/[^"]*)"', step.answer)
    assert "What keeps shop.leaks.Quote" in client.get(unescape(link)).content.decode()


def test_without_a_dump_one_can_be_recorded_beside_the_cause(fleet: Fleet, login: Login) -> None:
    leak = fleet.leak(fleet.process())
    acts = login("operator").get(_url(leak)).content.decode().split('class="mw-acts"')[1].split('class="mw-steps"')[0]
    assert acts.index("Find the cause") < acts.index("Record a heap dump")


def test_who_may_not_dump_heaps_sees_nothing_of_one(fleet: Fleet, login: Login, dump: Recording) -> None:
    leak = fleet.leak(dump.process, "shop.leaks.Quote")
    client = login("viewer")
    assert "heap-dump" not in _steps(client, leak)
    page = client.get(_url(leak)).content.decode()
    assert "AuditTrail" not in page
    assert "Record a heap dump" not in page


def test_hostile_names_in_a_dump_are_text(fleet: Fleet, login: Login, dump: Recording) -> None:
    leak = fleet.leak(dump.process, "shop.leaks.Quote")
    name = storage.rendered_name(dump, "analysis")
    kept = storage.cached(name)
    assert kept is not None
    storage.storage().delete(name)
    storage.cache(name, kept.replace(b"shop.leaks.AuditTrail.trail", EVIL.encode()))
    page = login("operator").get(_url(leak)).content.decode()
    assert EVIL not in page
    assert escape(EVIL) in page
