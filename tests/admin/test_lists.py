"""Lists that explain themselves, sort by what matters and stay quick."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from memwatch.models import Alert, Baseline, Command, Counter, ExpectedGrowth, Lease, RejectedReport, SnapshotRollup
from tests.admin.conftest import EVIL, Fleet

Login = Callable[..., Client]

MINE = (
    "leak", "alert", "baseline", "command", "expectedgrowth", "rejectedreport", "counter", "lease", "snapshotrollup",
)  # fmt: skip


def _list(model: str, query: str = "") -> str:
    return reverse(f"admin:memwatch_{model}_changelist") + query


def _alert(fleet: Fleet, number: int = 0, **values: object) -> Alert:
    process = fleet.process(slot=number + 1)
    made = {
        "type": "leak", "severity": "high", "service": process.service, "process": process, "subject": f"s{number}",
        "message": f"It leaks {number}. And more.", "value": 870.0, "threshold": 50.0, **values,
    }  # fmt: skip
    return Alert.objects.create(**made)


@pytest.mark.parametrize(("model", "title"), [("expectedgrowth", "Expected growth"), ("trigger", "Triggers")])
def test_a_list_is_headed_by_what_it_holds_and_offers_no_counting(model: str, title: str, login: Login) -> None:
    text = login("operator").get(_list(model)).content.decode()
    assert f"<h1>{title}</h1>" in text
    assert "_facets" not in text


@pytest.mark.parametrize("model", [*MINE, "recording", "trigger", "notification", "release", "service", "process"])
def test_an_empty_list_says_what_to_do_first(model: str, login: Login) -> None:
    client = login("viewer")
    text = client.get(_list(model)).content.decode()
    assert 'class="mw-nothing"' in text
    assert "There is nothing here yet" not in text
    filtered = client.get(_list(model, "?q=nothing-of-this-name")).content.decode()
    assert "Nothing matches these filters" in filtered or model == "lease"


def test_a_list_of_everything_does_not_offer_to_show_all(fleet: Fleet, login: Login) -> None:
    fleet.leak(fleet.process())
    client = login("viewer")
    for model in ("leak", "process", "service"):
        assert "Show all" not in client.get(_list(model)).content.decode(), model
    assert "1 result (" in client.get(_list("leak", "?q=PriceQuote")).content.decode()


def test_raised_alerts_come_first_and_cleared_ones_when_asked_for(fleet: Fleet, login: Login) -> None:
    _alert(fleet, 1)
    _alert(fleet, 2, cleared_at=fleet.now, raised_at=fleet.now - timedelta(hours=2))
    client = login("viewer")
    assert "It leaks 2" not in client.get(_list("alert")).content.decode()
    everything = client.get(_list("alert", "?state=all")).content.decode()
    assert "It leaks 1." in everything
    assert "2 h" in everything


def test_severities_sort_by_weight_and_not_by_the_alphabet(fleet: Fleet, login: Login) -> None:
    for number, severity in enumerate(("low", "critical", "medium", "high")):
        _alert(fleet, number, severity=severity)
    found = login("viewer").get(_list("alert", "?o=-1")).context["cl"].result_list
    assert [row.severity for row in found] == ["critical", "high", "medium", "low"]


def test_an_alerts_page_says_what_to_do_and_what_was_before(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    leak = fleet.leak(process)
    before = _alert(fleet, 8, subject="same", cleared_at=fleet.now, raised_at=fleet.now - timedelta(days=1))
    alert = _alert(fleet, 9, subject="same", leak=leak, message=EVIL)
    text = login("viewer").get(reverse("admin:memwatch_alert_change", args=(alert.pk,))).content.decode()
    assert reverse("admin:memwatch_leak_change", args=(leak.pk,)) in text
    assert reverse("admin:memwatch_alert_change", args=(before.pk,)) in text
    assert "docs/runbooks/MemoryLeakDetected.md" in text
    assert "870.0 %" in text
    assert "<script>alert" not in text


def test_a_command_says_what_was_asked_of_whom_and_how_long_it_took(fleet: Fleet, login: Login) -> None:
    Command.objects.create(
        wire_id="a" * 32, name="snapshot", process=fleet.process(), state="done", expires_at=fleet.now,
        created_at=fleet.now - timedelta(seconds=4), answered_at=fleet.now - timedelta(seconds=2.5),
    )  # fmt: skip
    text = login("viewer").get(_list("command")).content.decode()
    assert "take a snapshot" in text
    assert "1.5 s" in text


def test_a_rejected_report_says_what_that_means(login: Login) -> None:
    report = RejectedReport.objects.create(reason="version", detail=EVIL, size=9, excerpt=EVIL)
    text = login("viewer").get(reverse("admin:memwatch_rejectedreport_change", args=(report.pk,))).content.decode()
    assert "deploy the same version of memwatch everywhere" in text
    assert "<script>alert" not in text


def test_counters_and_leases_speak_plainly(fleet: Fleet, login: Login) -> None:
    Counter.objects.create(name="memwatch_snapshots_stored", labels="service=shop", value=12_345)
    Lease.objects.create(name="detect_leaks", holder="a", expires_at=fleet.now + timedelta(minutes=1))
    Lease.objects.create(name="prune", expires_at=fleet.now, last_finished_at=fleet.now - timedelta(hours=9))
    client = login("viewer")
    counted = client.get(_list("counter")).content.decode()
    assert "snapshots stored" in counted
    assert "service shop" in counted
    assert "12,345" in counted
    leases = client.get(_list("lease")).content.decode()
    assert "running" in leases
    assert "late" in leases


def test_a_baseline_is_compared_with_the_process_now(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    row = fleet.baseline(
        fleet.snapshot(process, minutes_ago=60, top_objects={"shop.leaks.PriceQuote": 200}), reason="after 2.4"
    )
    fleet.snapshot(process, top_objects={"shop.leaks.PriceQuote": 4_200})
    text = login("viewer").get(reverse("admin:memwatch_baseline_change", args=(row.pk,))).content.decode()
    for shown in ("after 2.4", "in force", "+4,000", "The process now"):
        assert shown in text, shown


def test_baselines_are_found_by_state_and_by_how_they_were_set(fleet: Fleet, login: Login) -> None:
    row = fleet.snapshot(fleet.process())
    other = fleet.snapshot(fleet.process(slot=2))
    made = fleet.baseline(row, active=False), fleet.baseline(row), fleet.baseline(other)
    Baseline.objects.filter(pk=made[2].pk).update(automatic=False)
    client = login("viewer")

    def listed(query: str) -> set[int]:
        return {found.pk for found in client.get(_list("baseline", query)).context["cl"].result_list}

    assert listed("?state=replaced") == {made[0].pk}
    assert listed("?state=force") == {made[1].pk, made[2].pk}
    assert listed("?how=reset") == {made[2].pk}
    assert listed("?how=<script>") == {each.pk for each in made}


@pytest.mark.parametrize("model", MINE)
def test_long_lists_take_as_many_queries_as_short_ones(model: str, fleet: Fleet, login: Login) -> None:
    client = login("root")

    def add(first: int, count: int) -> None:
        for number in range(first, first + count):
            alert = _alert(fleet, number)
            process = alert.process
            assert process is not None
            fleet.leak(process, f"shop.Type{number}")
            fleet.baseline(fleet.snapshot(process))
            Command.objects.create(wire_id=f"{number:032}", name="ping", process=process, expires_at=fleet.now)
            ExpectedGrowth.objects.create(type_pattern=f"shop.{number}", reason="x", service=process.service)
            RejectedReport.objects.create(reason="malformed", size=1, fingerprint=str(number))
            Counter.objects.create(name="x", labels=str(number))
            Lease.objects.create(name=str(number), expires_at=fleet.now)
            SnapshotRollup.objects.create(
                process=process, period="hour", start=fleet.now, samples=60, figures={}, floors={}
            )

    def queries() -> int:
        client.get(_list(model))
        with CaptureQueriesContext(connection) as captured:
            assert client.get(_list(model)).status_code == 200
        return len(captured)

    add(1, 2)
    few = queries()
    add(10, 8)
    assert queries() == few
    assert few <= 14
