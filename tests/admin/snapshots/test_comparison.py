"""Two snapshots side by side: as a page, as CSV, as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape
from django.utils.http import urlencode

from tests.admin.conftest import EVIL, Fleet

Login = Callable[..., Client]

FORMULA = "=cmd|' /C calc'!A0.Type"


def _url(**query: object) -> str:
    return f"{reverse('admin:memwatch_snapshot_compare')}?{urlencode(query)}"


def test_two_snapshots_are_told_apart_type_by_type(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    first = fleet.snapshot(process, minutes_ago=60, rss_mb=100.0, top_objects={"dict": 9_000, EVIL: 10, "gone.T": 5})
    second = fleet.snapshot(process, rss_mb=150.0, top_objects={"dict": 9_000, EVIL: 1_010, "new.T": 7})
    text = login("viewer").get(_url(**{"from": first.pk, "to": second.pk})).content.decode()
    for shown in ("+1,000", "+10,000.0 %", "+50.0 MB", "+50.0 %", "gone.T", "new.T", escape(EVIL)):
        assert shown in text, shown
    assert "<script>alert" not in text


def test_a_snapshot_is_compared_with_a_baseline(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    baseline = fleet.baseline(fleet.snapshot(process, minutes_ago=60, rss_mb=100.0))
    last = fleet.snapshot(process, rss_mb=125.0)
    answer = login("viewer").get(_url(**{"from": f"baseline-{baseline.pk}", "to": last.pk}))
    assert "+25.0 MB" in answer.content.decode()


def test_a_process_offers_its_baselines_and_notable_snapshots_and_any_time(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    rows = [fleet.snapshot(process, minutes_ago=minutes) for minutes in range(100, 0, -1)]
    fleet.baseline(rows[5])
    client = login("viewer")
    answer = client.get(_url(process=process.pk))
    offered = [option["key"] for option in answer.context["choices"][0]["options"]]
    assert len(offered) == 5
    assert {str(rows[0].pk), str(rows[40].pk), str(rows[95].pk), str(rows[99].pk)} < set(offered)
    at = (fleet.now - timedelta(minutes=50, seconds=-20)).isoformat()
    chosen = client.get(_url(process=process.pk, from_at=at, to=rows[99].pk))
    assert chosen.context["choices"][0]["options"][-1] == {
        "key": str(rows[50].pk), "text": chosen.context["choices"][0]["options"][-1]["text"], "chosen": True,
    }  # fmt: skip


def test_a_download_is_safe_to_open_in_a_spreadsheet(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    first = fleet.snapshot(process, minutes_ago=60, top_objects={FORMULA: 10, "dict": 20})
    second = fleet.snapshot(process, top_objects={FORMULA: 5, "dict": 30})
    answer = login("viewer").get(_url(**{"from": first.pk, "to": second.pk, "format": "csv"}))
    assert answer["Content-Disposition"] == f'attachment; filename="memwatch-{first.pk}-to-{second.pk}.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    types = {row["name"]: row for row in rows if row["what"] == "type"}
    assert types[f"'{FORMULA}"]["difference"] == "-5"
    assert types["dict"]["percent"] == "50.0"
    assert not any(row["name"].startswith(("=", "+", "-", "@")) for row in rows)


def test_a_download_as_json_says_what_was_compared(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    first, second = fleet.snapshot(process, minutes_ago=60), fleet.snapshot(process)
    found = login("viewer").get(_url(**{"from": first.pk, "to": second.pk, "format": "json"})).json()
    assert found["from"] == {"id": str(first.pk), "timestamp": first.timestamp.isoformat()}
    assert {"name", "before", "after", "difference", "percent"} == set(found["types"][0])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=999999&to=999998", "may have been pruned"),
        ("from=baseline-999999&to=1", "may have been pruned"),
        ("from=<script>&to=1", "Choose two snapshots"),
        ("from=1", "Choose two snapshots|may have been pruned"),
        ("from=" + "9" * 30 + "&to=1", "Choose two snapshots"),
        ("", "Open a process"),
        ("process=999999", "Open a process"),
        ("process=x&from_at=yesterday&to=1", "Choose two snapshots"),
    ],
)
def test_what_cannot_be_compared_is_explained(query: str, said: str, fleet: Fleet, login: Login) -> None:
    client, url = login("viewer"), f"{reverse('admin:memwatch_snapshot_compare')}?{query}"
    answer = client.get(url)
    assert answer.status_code == 200
    assert any(each in answer.content.decode() for each in said.split("|"))
    assert login("root").get(f"{reverse('admin:memwatch_snapshot_compare')}?{query}&format=csv").status_code in (
        200,
        404,
    )


def test_a_time_before_the_first_snapshot_or_none_at_all_is_explained(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    last = fleet.snapshot(process)
    client = login("viewer")
    early = client.get(_url(process=process.pk, from_at="2001-01-01T00:00", to=last.pk)).content.decode()
    assert "is that old: choose a later time" in early
    wrong = client.get(_url(process=process.pk, from_at="soon", to=last.pk)).content.decode()
    assert "This is not a time" in wrong


def test_snapshots_without_any_figure_have_a_comparison(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    names = ("heap_size_mb", "heap_used_mb", "rss_mb", "total_objects", "top_objects", "big_containers")
    nothing = dict.fromkeys(names)
    first, second = fleet.snapshot(process, minutes_ago=5, **nothing), fleet.snapshot(process, **nothing)
    text = login("viewer").get(_url(**{"from": first.pk, "to": second.pk})).content.decode()
    assert "neither snapshot took a census" in text


def test_a_process_whose_last_snapshot_took_no_census_is_compared_by_the_last_that_did(
    fleet: Fleet, login: Login
) -> None:
    process = fleet.process()
    fleet.baseline(fleet.snapshot(process, minutes_ago=60, top_objects={"dict": 9_000}))
    counted = fleet.snapshot(process, minutes_ago=2, top_objects={"dict": 9_777})
    last = fleet.snapshot(process, total_objects=None, top_objects=None)
    client = login("viewer")
    page = client.get(reverse("admin:memwatch_process_change", args=(process.pk,)))
    offered = page.context["compare_url"]
    assert f"to={counted.pk}" in offered
    assert "+777" in client.get(offered).content.decode()
    asked = client.get(offered.replace(f"to={counted.pk}", f"to={last.pk}"))
    assert "has no object counts" in asked.content.decode()
    (side,) = asked.context["uncounted"]
    assert "+777" in client.get(reverse("admin:memwatch_snapshot_compare") + side["url"]).content.decode()


def test_comparing_takes_few_queries_and_the_permission_to_see_snapshots(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    first, last = fleet.snapshot(process, minutes_ago=60), fleet.snapshot(process)
    client, url = login("viewer"), _url(**{"from": first.pk, "to": last.pk})
    client.get(url)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    assert len(captured) <= 11
    assert login("staff").get(url).status_code == 403
    assert client.post(url).status_code == 405


def test_the_page_of_a_process_compares_the_last_census_with_its_baseline(fleet: Fleet, login: Login) -> None:
    process, client = fleet.process(), login("viewer")
    page = reverse("admin:memwatch_process_change", args=(process.pk,))
    fleet.snapshot(process, minutes_ago=9)
    assert client.get(page).context["compare_url"] == _url(process=process.pk)
    offered = client.get(_url(process=process.pk))
    assert offered.context["problem"] == ""
    baseline = fleet.baseline(process.last_snapshot)
    counted = fleet.snapshot(process, minutes_ago=1)
    fleet.snapshot(process, total_objects=None, top_objects=None)
    url = client.get(page).context["compare_url"]
    assert url == _url(process=process.pk, **{"from": f"baseline-{baseline.pk}", "to": counted.pk})
    assert client.get(url).context["tables"][0].rows


def test_the_newest_snapshot_is_offered_to_be_compared_with_the_first_baseline(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    baseline = fleet.baseline(fleet.snapshot(process, minutes_ago=9))
    last = fleet.snapshot(process)
    sides = login("viewer").get(_url(process=process.pk)).context["choices"]
    chosen = [option["key"] for side in sides for option in side["options"] if option["chosen"]]
    assert chosen == [f"baseline-{baseline.pk}", str(last.pk)]
