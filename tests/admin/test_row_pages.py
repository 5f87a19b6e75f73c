"""The pages of commands, rejected reports, counters, leases, releases, types and roll-ups: words, links, what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from memwatch.models import (
    Command,
    Counter,
    ExpectedGrowth,
    Lease,
    ObjectType,
    Process,
    RejectedReport,
    Release,
    SnapshotRollup,
)
from tests.admin.conftest import EVIL, Fleet

Login = Callable[..., Client]


def _url(row: Model) -> str:
    return reverse(f"admin:memwatch_{row._meta.model_name}_change", args=(row.pk,))


def _text(client: Client, row: Model) -> str:
    answer = client.get(_url(row))
    assert answer.status_code == 200
    assert b"<script>alert" not in answer.content
    return answer.content.decode()


def _command(fleet: Fleet, process: Process, **values: object) -> Command:
    made = {
        "wire_id": f"{Command.objects.count():032}", "name": "snapshot", "process": process, "state": "done",
        "created_at": fleet.now - timedelta(seconds=4), "answered_at": fleet.now - timedelta(seconds=2.5),
        "expires_at": fleet.now + timedelta(seconds=26), **values,
    }  # fmt: skip
    return Command.objects.create(**made)


def test_a_commands_page_tells_what_was_asked_what_came_of_it_and_what_else_was_asked(
    fleet: Fleet, login: Login
) -> None:
    process = fleet.process()
    row = fleet.snapshot(process)
    other = _command(fleet, process, name="reset_baseline", state="refused", detail=EVIL)
    text = _text(login("viewer"), _command(fleet, process, snapshot=row))
    for shown in (
        "Take a snapshot",
        "sent to web-1 on node-a",
        "The process has done it.",
        "1.5 s",
        _url(row),
        _url(other),
    ):
        assert shown in text, shown
    assert "reset the baseline" in text
    assert escape(EVIL) in text


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("refused", "The process refused. Its answer: bad signature"),
        ("failed", "The process tried and failed. Its answer: bad signature"),
        ("expired", "expired without an answer"),
        ("sent", "It was sent; the process has not answered yet."),
    ],
)
def test_a_command_that_was_not_done_says_why_and_what_to_do(
    state: str, sentence: str, fleet: Fleet, login: Login
) -> None:
    row = _command(fleet, fleet.process(), state=state, detail="bad signature", answered_at=None, snapshot_id=987)
    text = _text(login("viewer"), row)
    assert sentence in text
    assert ("What to do" in text) == (state != "sent")
    assert "pruned" in text


def test_a_rejected_report_shows_what_is_wrong_what_to_do_and_its_likes(login: Login, db: None) -> None:
    Counter.objects.create(name="memwatch_reports_rejected", labels="reason=malformed", value=321)
    rows = [
        RejectedReport.objects.create(reason="malformed", detail=EVIL, size=size, excerpt=EVIL, fingerprint=str(size))
        for size in (90, 30_720)
    ]
    text = _text(login("viewer"), rows[1])
    for shown in ("30 KB", "90 bytes", "321", "Check the clock of that host", _url(rows[0]), escape(EVIL)):
        assert shown in text, shown
    assert 'name="_save"' not in text


def test_a_counters_page_sets_it_beside_those_of_the_same_name(login: Login, db: None) -> None:
    rows = [
        Counter.objects.create(name="memwatch_reports_rejected", labels=f"reason={reason}", value=value)
        for reason, value in (("version", 300), ("malformed", 100))
    ]
    text = _text(login("viewer"), rows[0])
    for shown in ("Reports rejected", "reason version", "75.0 %", "Total of all rows: 400", _url(rows[1])):
        assert shown in text, shown
    assert reverse("admin:memwatch_rejectedreport_changelist") in text


def test_a_lease_tells_what_it_is_for_and_what_to_do_when_it_is_late(fleet: Fleet, login: Login) -> None:
    late = Lease.objects.create(
        name="ingest_reports", expires_at=fleet.now, last_finished_at=fleet.now - timedelta(hours=1)
    )
    fine = Lease.objects.create(name="prune", expires_at=fleet.now, last_finished_at=fleet.now - timedelta(hours=1))
    client = login("viewer")
    text = _text(client, late)
    for shown in ("stores the reports that have arrived", "has not run for a long time", "Is beat running", "5 s"):
        assert shown in text, shown
    text = _text(client, fine)
    assert "The last run was on time." in text
    assert "What to do" not in text
    assert "late" in client.get(reverse("admin:memwatch_lease_changelist")).content.decode()


def test_a_release_tells_who_runs_it_and_what_leaks_in_it(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    old = Release.objects.create(service=process.service, name="2.3", first_seen_at=fleet.now - timedelta(days=2))
    new = Release.objects.create(service=process.service, name=EVIL, first_seen_at=fleet.now - timedelta(hours=2))
    Process.objects.filter(pk=process.pk).update(release=new)
    leak = fleet.leak(process)
    client = login("viewer")
    text = _text(client, new)
    for shown in ("1 process runs it. A leak was found in 1 of those", _url(leak), _url(old), _url(process.service)):
        assert shown in text, shown
    assert "No process runs it any more. No leak was found in it." in _text(client, old)
    listed = client.get(reverse("admin:memwatch_release_changelist")).content.decode()
    assert "since which release" not in listed
    assert "Charts mark them" in listed


def test_an_empty_list_of_releases_or_types_says_what_to_do_first(login: Login) -> None:
    client = login("viewer")
    assert "MEMWATCH_RELEASE" in client.get(reverse("admin:memwatch_release_changelist")).content.decode()
    assert "No census yet" in client.get(reverse("admin:memwatch_objecttype_changelist")).content.decode()
    assert "INSTALLED_APPS" in client.get(reverse("admin:memwatch_service_changelist")).content.decode()
    assert "No process is alive" in client.get(reverse("admin:memwatch_process_changelist")).content.decode()


def test_a_types_page_tells_who_has_most_of_it_where_it_leaked_and_what_is_expected(fleet: Fleet, login: Login) -> None:
    few, many = fleet.process(slot=1), fleet.process(slot=2)
    fleet.snapshot(few, top_objects={"shop.leaks.PriceQuote": 10, EVIL: 1})
    fleet.snapshot(many, top_objects={"shop.leaks.PriceQuote": 20_000})
    leak = fleet.leak(few)
    rule = ExpectedGrowth.objects.create(type_pattern="shop.*", reason="a cache", service=None)
    client = login("viewer")
    text = _text(client, ObjectType.objects.get(name="shop.leaks.PriceQuote"))
    assert text.index("20,000") < text.index("web-1 on node-a")
    for shown in ("It leaks: 1 leak is open.", _url(leak), _url(rule), "a cache"):
        assert shown in text, shown
    evil = _text(client, ObjectType.objects.get(name=EVIL))
    assert "It is counted and does not leak." in evil
    assert "No process reports it now" in _text(client, ObjectType.objects.create(name="gone.Type"))


def test_a_roll_up_is_a_table_of_figures_in_units_and_of_types_by_name(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    kind = ObjectType.objects.create(name=EVIL)
    row = SnapshotRollup.objects.create(
        process=process, period="hour", start=fleet.now, samples=60, floors={str(kind.pk): 1_234, "99999": 5},
        figures={"rss_kib": [1024, 2048, 4096], "total_objects": [1, 2.5, 4], "census_pause_us": [10, 20, 30], "x": 3},
    )  # fmt: skip
    text = _text(login("viewer"), row)
    for shown in (
        "Resident (RSS)",
        "2.0 MB",
        "4.0 MB",
        "1,234",
        escape(EVIL),
        escape("Census' longest pause"),
        _url(kind),
    ):
        assert shown in text, shown
    bare = SnapshotRollup.objects.create(
        process=process, period="day", start=fleet.now, samples=1, figures={}, floors={}
    )
    assert "No figure was measured." in _text(login("root"), bare)


def test_hours_and_days_are_listed_apart(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    for period, samples in (("hour", 59), ("day", 1_439)):
        SnapshotRollup.objects.create(
            process=process, period=period, start=fleet.now, samples=samples, figures={}, floors={}
        )
    client, url = login("viewer"), reverse("admin:memwatch_snapshotrollup_changelist")
    hours = client.get(url).content.decode()
    assert "59" in hours
    assert "1,439" not in hours
    assert "1,439" in client.get(f"{url}?period=day").content.decode()
    assert client.get(f"{url}?period=<script>").status_code == 200


def test_none_of_these_pages_takes_more_queries_for_much_than_for_little(fleet: Fleet, login: Login) -> None:
    client = login("viewer")

    def add(count: int) -> list[Model]:
        for _number in range(count):
            process = fleet.process(slot=Process.objects.count() + 1)
            release, _new = Release.objects.get_or_create(service=process.service, name="2.4")
            Release.objects.create(service=process.service, name=f"1.{Process.objects.count()}")
            Process.objects.filter(pk=process.pk).update(release=release)
            fleet.snapshot(process)
            fleet.leak(process)
            ExpectedGrowth.objects.create(type_pattern="shop.*", reason="x", service=process.service)
            report = RejectedReport.objects.create(reason="malformed", size=1, fingerprint=str(process.pk))
            counter = Counter.objects.create(name="x", labels=f"service={process.pk}")
            command = _command(fleet, Process.objects.earliest("pk"))
        kind = ObjectType.objects.get(name="shop.leaks.PriceQuote")
        return [release, report, counter, command, kind]

    def queries(row: Model) -> int:
        client.get(_url(row))
        with CaptureQueriesContext(connection) as captured:
            assert client.get(_url(row)).status_code == 200
        return len(captured)

    few = [queries(row) for row in add(2)]
    many = [queries(row) for row in add(8)]
    assert many == few
    assert max(few) <= 14


@pytest.mark.parametrize("model", ["command", "rejectedreport", "counter", "release", "objecttype", "snapshotrollup"])
def test_a_row_that_is_gone_leads_back_to_its_list_and_nothing_is_changed_by_a_post(
    model: str, fleet: Fleet, login: Login
) -> None:
    client = login("root")
    url = reverse(f"admin:memwatch_{model}_change", args=(4711,))
    assert client.get(url).headers["Location"] == reverse(f"admin:memwatch_{model}_changelist")
    assert client.post(url, {"name": "x"}).status_code == 405
    assert login("staff").get(url).status_code == 403
