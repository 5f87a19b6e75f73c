"""A look into the heap before a leak opens, and before it becomes high or critical."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from memwatch.detection.confidence.probability import SURE
from memwatch.models import Leak, Process, Recording
from memwatch.services.leaks import judging
from memwatch.timetable import steps
from memwatch.transport import Hub
from tests.services.recorded import REFERRERS, bring
from tests.services.stored import MINUTE, NOON, QUOTE, growing, store_process, store_snapshots

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
CACHE: dict[str, Any] = {
    "name": "shop.views.price", "type": "functools._lru_cache_wrapper", "length": 620, "retained_kb": 100.0,
    "retained_is_lower_bound": False, "holds": 97, "of": 100, "grew": 40, "sure": True,
    "bound": {
        "limit": 1_024, "entries": 620, "by": "lru_cache(maxsize=1024) of shop.views.price", "enforced": True,
        "own": True, "explains": True, "when_full_kb": 2_048.0, "fits": True,
    },
}  # fmt: skip
HOLDER = {key: value for key, value in CACHE.items() if key != "bound"} | {"name": "shop.leaks.QUOTES", "type": "dict"}
GARBAGE = {"count": 980, "of": 1_000, "collects": True, "thresholds": [700, 10, 10], "full_collections": 0}


@pytest.fixture
def process() -> Process:
    """A process whose agent can be asked for a look, and whose quotes grow for two hours."""
    row = store_process(census_method="native")
    store_snapshots(row, NOON - 2 * HOUR, NOON, nearly_full)
    return row


def nearly_full(minutes: float) -> dict[str, Any]:
    """Quotes that fill what is left of the limit within two hours."""
    return {**growing(-120, 100)(minutes), "heap_limit_kib": 64_000}


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What arrives, arrives at the time of the stored figures."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)


def look_at(process: Process, hub: Hub, now: datetime = NOON, **result: Any) -> Recording:
    """One run that asks for a look, and the outcome of that."""
    assert judging.detect(now, hub=hub).waiting == 1
    look = Recording.objects.filter(look=True).latest("pk")
    look = bring(process, look, **{"holder": None, "chains": [], **result})
    assert look.state == "done", look.error
    return look


def grow_on(process: Process, now: datetime) -> None:
    store_snapshots(process, process.last_seen_at + MINUTE, now, nearly_full)


def test_a_suspicion_asks_for_a_look_and_opens_nothing(process: Process, hub: Hub) -> None:
    result = judging.detect(NOON, hub=hub)
    assert (result.waiting, result.opened) == (1, 0)
    look = Recording.objects.get()
    assert (look.kind, look.options["type"], look.look, look.state) == ("referrers", QUOTE, True, "requested")
    assert judging.detect(NOON + MINUTE, hub=hub).waiting == 1
    assert Recording.objects.count() == 1


@pytest.mark.usefixtures("at_noon")
def test_what_a_look_shows_opens_the_leak_with_the_next_ingest(
    process: Process, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps.detect_leaks()
    bring(process, Recording.objects.get(look=True), holder=None, chains=[])
    assert not Leak.objects.exists()
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON + timedelta(seconds=1))
    Recording.objects.update(finished_at=NOON + timedelta(seconds=1))
    steps.ingest_reports()
    assert Leak.objects.get().object_type == QUOTE
    monkeypatch.setattr(judging, "detect", lambda: pytest.fail("nothing is new"))
    steps.ingest_reports()


@pytest.mark.usefixtures("at_noon")
def test_a_way_from_a_root_to_a_container_that_grows_makes_it_certain(process: Process, hub: Hub) -> None:
    look = look_at(process, hub, candidates=[HOLDER], chains=REFERRERS["chains"])
    assert judging.detect(NOON + MINUTE, hub=hub).opened == 1
    leak = Leak.objects.get()
    assert leak.confidence == "high"
    assert leak.probability is not None
    assert leak.probability >= SURE
    assert leak.evidence["look"] == {
        "recording": look.pk, "at": NOON.isoformat(), "held_by": f"shop.leaks.QUOTES → {QUOTE}", "sure": True,
        "finding": "", "type": QUOTE,
    }  # fmt: skip
    assert list(leak.recordings.all()) == [look]
    assert judging.detect(NOON + 2 * MINUTE, hub=hub).seen == 1
    leak.refresh_from_db()
    assert (leak.confidence, leak.evidence["look"]["recording"]) == ("high", look.pk)


@pytest.mark.usefixtures("at_noon")
@pytest.mark.parametrize(
    "shown", [{"candidates": [CACHE]}, {"garbage": GARBAGE}], ids=["a cache that fills", "garbage that waits"]
)
def test_what_the_heap_shows_to_be_no_leak_never_opens(process: Process, hub: Hub, shown: dict[str, Any]) -> None:
    look_at(process, hub, **shown)
    result = judging.detect(NOON + MINUTE, hub=hub)
    assert (result.cleared, result.opened, result.waiting) == (1, 0, 0)
    assert not Leak.objects.exists()
    assert Recording.objects.count() == 1


@pytest.mark.usefixtures("at_noon")
@pytest.mark.parametrize(
    "shown",
    [
        {"garbage": {**GARBAGE, "collects": False}},
        {"candidates": [{**CACHE, "bound": {**CACHE["bound"], "explains": False}}]},
        {"candidates": [{**CACHE, "bound": {**CACHE["bound"], "fits": False}}]},
        {"candidates": [{**CACHE, "bound": {**CACHE["bound"], "own": False}}]},
        {"candidates": [HOLDER], "garbage": GARBAGE},
    ],
    ids=["the collector is off", "the entries grow", "a bound that does not fit", "a cache further up", "held too"],
)
def test_a_bound_or_garbage_that_explains_nothing_clears_nothing(
    process: Process, hub: Hub, shown: dict[str, Any]
) -> None:
    look_at(process, hub, **shown)
    assert judging.detect(NOON + MINUTE, hub=hub).opened == 1


@pytest.mark.usefixtures("at_noon")
def test_what_was_cleared_is_looked_at_again_after_an_hour(process: Process, hub: Hub) -> None:
    look_at(process, hub, candidates=[CACHE])
    grow_on(process, NOON + HOUR)
    assert judging.detect(NOON + HOUR - MINUTE, hub=hub).cleared == 1
    assert Recording.objects.count() == 1
    assert judging.detect(NOON + HOUR, hub=hub).cleared == 1  # until the next look has ended
    second = Recording.objects.latest("pk")
    assert Recording.objects.count() == 2
    bring(process, second, holder=None, chains=[], candidates=[HOLDER])
    assert judging.detect(NOON + HOUR + MINUTE, hub=hub).opened == 1


def texts(minutes: float) -> dict[str, Any]:
    """Texts in a dict that no census meets: blocks and heap grow, no type does."""
    grown, wobble = int((minutes + 120) * 2_000), int(minutes * 7) % 5
    return {
        "allocated_blocks": 200_000 + grown + wobble, "heap_used_kib": 51_200 + grown // 16 + wobble,
        "pymalloc_used_kib": 40_960 + grown // 16, "rss_kib": 81_920 + grown // 16,
    }  # fmt: skip


@pytest.mark.usefixtures("at_noon")
@pytest.mark.parametrize("sure", [True, False], ids=["it grows as the memory does", "it grows a little"])
@pytest.mark.parametrize("holder", [HOLDER, CACHE], ids=["a dict", "a cache that fills"])
def test_memory_without_a_container_is_looked_at_and_cleared_only_by_one_that_grows_alike(
    hub: Hub, sure: bool, holder: dict[str, Any]
) -> None:
    row = store_process(census_method="native")
    store_snapshots(row, NOON - 2 * HOUR, NOON, texts)
    look = look_at(row, hub, type="untracked", candidates=[{**holder, "sure": sure}])
    assert look.options["type"] == "untracked"
    assert not look.options.get("container")
    judging.detect(NOON + MINUTE, hub=hub)
    assert Leak.objects.exists() is not (sure and holder is CACHE)
    for leak in Leak.objects.all():
        shown = leak.evidence["look"]
        assert (leak.kind, "error" in shown) == ("untracked", not sure)
        assert shown.get("held_by", "").startswith("shop.leaks.QUOTES") is sure


@pytest.mark.usefixtures("at_noon")
@pytest.mark.parametrize(("receivers", "leaks"), [(0, 2), (4_000, 1)], ids=["held elsewhere", "held with them"])
def test_what_the_holder_keeps_alive_tells_parts_from_other_leaks(hub: Hub, receivers: int, leaks: int) -> None:
    """Two classes grow with each request, and a growing dict holds one of them: the counts cannot tell."""

    def two(minutes: float) -> dict[str, Any]:
        count = growing(-120, 100)(minutes)["types"][QUOTE]
        held = {"type": "dict", "length": count, "holds": QUOTE, "token": 7, "name": "shop.leaks.QUOTES"}
        return {"types": {QUOTE: count, "shop.leaks.Receiver": count}, "extras": {"big_containers": [held]}}

    row = store_process(census_method="native")
    store_snapshots(row, NOON - 2 * HOUR, NOON, two)
    kept = [{"type": QUOTE, "count": 12_500}, {"type": "shop.leaks.Receiver", "count": receivers}]
    look_at(row, hub, candidates=[{**HOLDER, "keeps": kept}])
    assert judging.detect(NOON + MINUTE, hub=hub).opened == 1
    assert Leak.objects.get().evidence["grows_with"] == ["shop.leaks.Receiver"]
    judging.detect(NOON + 2 * MINUTE, hub=hub)
    assert Leak.objects.count() == leaks


def test_the_curve_decides_where_the_look_is_refused(process: Process, hub: Hub) -> None:
    judging.detect(NOON, hub=hub)
    Recording.objects.update(state="failed", error="There is no memory left for a copy.")
    assert judging.detect(NOON + MINUTE, hub=hub).opened == 1
    leak = Leak.objects.get()
    assert leak.evidence["look"]["error"] == "There is no memory left for a copy."
    assert "sure" not in leak.evidence["look"]


def test_a_transport_that_is_away_delays_a_leak_by_one_run(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMWATCH_TRANSPORT", "redis://127.0.0.1:1/0")
    assert judging.detect(NOON).waiting == 1
    assert judging.detect(NOON + MINUTE).opened == 1
    assert "the transport is unavailable" in Leak.objects.get().evidence["look"]["error"]


@pytest.mark.parametrize(
    "values", [{"census_method": ""}, {"census_method": "native", "outside": True}], ids=["old agent", "no agent"]
)
def test_who_cannot_be_looked_at_is_judged_by_the_curve(values: dict[str, Any], hub: Hub) -> None:
    row = store_process(**values)
    store_snapshots(row, NOON - 2 * HOUR, NOON, growing(-120, 100))
    assert judging.detect(NOON, hub=hub).waiting == 0
    assert not Recording.objects.exists()


@pytest.mark.parametrize("off", [{"LOOK_BEFORE_LEAK": False}, {"RECORDINGS_PER_SERVICE_HOUR": 0}], ids=str)
def test_looks_can_be_turned_off(process: Process, settings: Any, off: dict[str, Any]) -> None:
    settings.MEMWATCH = off
    assert judging.detect(NOON).opened == 1
    assert not Recording.objects.exists()


@pytest.mark.usefixtures("at_noon")
def test_a_process_is_looked_at_for_the_worst_leak_alone(hub: Hub) -> None:
    def two(minutes: float) -> dict[str, Any]:
        lines = int((minutes + 120) ** 1.02 * 300)
        return {"types": {**growing(-120, 100)(minutes)["types"], "shop.orders.Line": 900 + lines}}

    row = store_process(census_method="native")
    store_snapshots(row, NOON - 2 * HOUR, NOON, two)
    result = judging.detect(NOON, hub=hub)
    look = Recording.objects.get()
    assert (look.options["type"], result.waiting, result.opened) == ("shop.orders.Line", 1, 1)
    assert Leak.objects.get().object_type == QUOTE


ROW, QUERY = "django.contrib.contenttypes.models.ContentType", "django.db.models.sql.query.Query"


def queries(minutes: float) -> dict[str, Any]:
    """Queries that are kept with five rows each, and are among what is reported since noon."""
    kept = int((minutes + 121) ** 1.02 * 100)
    return {"types": {ROW: 5 * kept, QUERY: kept} if minutes > 0 else {ROW: 5 * kept}}


@pytest.mark.usefixtures("at_noon")
@pytest.mark.parametrize("innocent", [False, True], ids=["a part that leaks", "a part that is cleared"])
def test_a_look_at_a_part_shows_what_holds_the_whole_and_clears_nothing(hub: Hub, innocent: bool) -> None:
    row = store_process(census_method="native")
    store_snapshots(row, NOON - 2 * HOUR, NOON, queries)
    look = look_at(row, hub, candidates=[CACHE if innocent else HOLDER])
    assert look.options["type"] == ROW
    store_snapshots(row, NOON + MINUTE, NOON + 45 * MINUTE, queries)
    judging.detect(NOON + 45 * MINUTE, hub=hub)
    leak = Leak.objects.get()
    assert (leak.object_type, leak.evidence["grows_with"]) == (QUERY, [ROW])
    if innocent:
        assert "look" not in leak.evidence
    else:
        assert leak.evidence["look"]["held_by"].startswith("shop.leaks.QUOTES")


@pytest.mark.usefixtures("at_noon")
def test_a_leak_that_rises_to_high_waits_for_a_look(process: Process, hub: Hub, settings: Any) -> None:
    settings.MEMWATCH = {"LOOK_BEFORE_LEAK": False, "SNAPSHOT_INTERVAL": 60}
    judging.detect(NOON)
    Leak.objects.update(severity="low")
    settings.MEMWATCH = {"SNAPSHOT_INTERVAL": 60}
    grown = Leak.objects.get()
    verdict_severity = severity_without_looks(process)
    assert verdict_severity in ("high", "critical")
    judging.detect(NOON + MINUTE, hub=hub)
    grown.refresh_from_db()
    assert grown.severity == "low"
    look = Recording.objects.get()
    bring(process, look, holder=None, chains=[], candidates=[HOLDER])
    judging.detect(NOON + 2 * MINUTE, hub=hub)
    grown.refresh_from_db()
    assert grown.severity == verdict_severity
    assert grown.evidence["look"]["recording"] == look.pk


@pytest.mark.usefixtures("at_noon")
def test_a_leak_that_the_heap_clears_before_it_rises_is_resolved_and_stays_so(
    process: Process, hub: Hub, settings: Any
) -> None:
    settings.MEMWATCH = {"LOOK_BEFORE_LEAK": False, "SNAPSHOT_INTERVAL": 60}
    judging.detect(NOON)
    Leak.objects.update(severity="low")
    settings.MEMWATCH = {"SNAPSHOT_INTERVAL": 60}
    judging.detect(NOON + MINUTE, hub=hub)
    bring(process, Recording.objects.get(), holder=None, chains=[], candidates=[CACHE])
    judging.detect(NOON + 2 * MINUTE, hub=hub)
    leak = Leak.objects.get()
    assert leak.state == "resolved"
    assert "A cache of 1,024 entries, 61 % full" in leak.events.latest("pk").comment
    grow_on(process, NOON + 10 * MINUTE)
    judging.detect(NOON + 10 * MINUTE, hub=hub)
    leak.refresh_from_db()
    assert leak.state == "resolved"


SESSIONS: dict[str, Any] = {
    **HOLDER, "name": "shop.auth.SESSIONS",
    "lifetime": {
        "seconds": 5 * 3_600.0, "by": "ttl = 18000 of shop.auth.Store", "entries": 620, "timed": 0, "overdue": 0,
        "overdue_s": None, "explains": True, "when_due_kb": 2_048.0, "fits": True,
    },
}  # fmt: skip
EXPIRING = {"holds": 97, "seconds": 5 * 3_600.0, "timed": False}
SAID_ONE_HOUR = {**SESSIONS["lifetime"], "seconds": 3_600.0, "by": "ttl = 3600 of shop.auth.Store"}


@pytest.mark.usefixtures("at_noon")
def test_entries_that_live_as_long_as_the_growth_is_old_never_open(process: Process, hub: Hub) -> None:
    look_at(process, hub, candidates=[SESSIONS], expiring=EXPIRING)
    result = judging.detect(NOON + MINUTE, hub=hub)
    assert (result.cleared, result.opened, result.waiting) == (1, 0, 0)
    assert not Leak.objects.exists()


@pytest.mark.usefixtures("at_noon")
def test_entries_that_should_have_expired_are_looked_at_once_more_and_open(process: Process, hub: Hub) -> None:
    """The window shows no beginning, so that they may have grown since the process started, six hours ago."""
    said = {"candidates": [{**SESSIONS, "lifetime": SAID_ONE_HOUR}], "expiring": {**EXPIRING, "seconds": 3_600.0}}
    look_at(process, hub, **said)
    assert judging.detect(NOON + MINUTE, hub=hub).waiting == 1
    second = Recording.objects.latest("pk")
    assert Recording.objects.count() == 2
    bring(process, second, holder=None, chains=[], **said)
    assert judging.detect(NOON + 2 * MINUTE, hub=hub).opened == 1
    leak = Leak.objects.get()
    assert leak.evidence["look"]["finding"] == (
        "Its entries are said to expire after 1 hour (ttl = 3600 of shop.auth.Store), but it still grows after 6 hours."
    )
    assert Recording.objects.count() == 2


@pytest.mark.usefixtures("at_noon")
def test_entries_that_are_seen_to_be_removed_in_time_never_open(process: Process, hub: Hub) -> None:
    timed = {**SAID_ONE_HOUR, "timed": 200}
    look_at(
        process, hub, candidates=[{**SESSIONS, "lifetime": timed}],
        expiring={**EXPIRING, "seconds": 3_600.0, "timed": True},
    )  # fmt: skip
    assert judging.detect(NOON + MINUTE, hub=hub).cleared == 1
    assert Recording.objects.count() == 1


@pytest.mark.usefixtures("at_noon")
@pytest.mark.parametrize(
    "shown",
    [
        {"candidates": [{**SESSIONS, "lifetime": {**SESSIONS["lifetime"], "fits": False}}], "expiring": EXPIRING},
        {"candidates": [{**SESSIONS, "lifetime": {**SESSIONS["lifetime"], "timed": 200, "overdue": 90}}],
         "expiring": EXPIRING},
        {"candidates": [SESSIONS, HOLDER], "expiring": EXPIRING},
        {"candidates": [SESSIONS], "expiring": None},
        {"candidates": [{**SESSIONS, "lifetime": {**SESSIONS["lifetime"], "seconds": 14 * 86_400.0}}],
         "expiring": {**EXPIRING, "seconds": 14 * 86_400.0}},
    ],
    ids=["too much by then", "overdue", "a list beside it", "most are elsewhere", "two weeks"],
)  # fmt: skip
def test_a_time_that_explains_nothing_clears_nothing(process: Process, hub: Hub, shown: dict[str, Any]) -> None:
    look_at(process, hub, **shown)
    assert judging.detect(NOON + MINUTE, hub=hub).opened == 1


@pytest.mark.usefixtures("at_noon")
def test_a_leak_that_grows_with_entries_that_expire_opens_beside_them(hub: Hub) -> None:
    def two(minutes: float) -> dict[str, Any]:
        count = growing(-120, 100)(minutes)["types"][QUOTE]
        return {"types": {QUOTE: count, "django.template.base.Variable": 2 * count}}

    row = store_process(census_method="native")
    store_snapshots(row, NOON - 2 * HOUR, NOON, two)
    look_at(row, hub, candidates=[{**SESSIONS, "keeps": [{"type": QUOTE, "count": 620}]}], expiring=EXPIRING)
    result = judging.detect(NOON + MINUTE, hub=hub)
    assert (result.cleared, result.opened) == (1, 1)
    assert Leak.objects.get().object_type == "django.template.base.Variable"


def severity_without_looks(process: Process) -> str:
    """The severity that the curve alone gives."""
    from memwatch.detection import Thresholds, judge
    from memwatch.queries.judging.detection_input import judged_histories

    ((_process, history),) = judged_histories([process], since=NOON - HOUR)
    return next(found.severity for found in judge(history, thresholds=Thresholds(), window="hour") if found.is_leak)
