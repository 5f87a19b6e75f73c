"""Views, tasks and commands through the API, and the work that explains a leak."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from rest_framework.test import APIClient

from memwatch.models import Leak, WorkRollup
from memwatch.queries.work import FIGURES, HOUR, start_of_hour
from memwatch.records.work import VIEW
from tests.api.conftest import Fleet
from tests.api.rows import store_leak
from tests.services.stored import store_process
from tests.services.stored_work import figures, store_work

WORK = "/api/v1/work/"
SYNC = "shop.tasks.sync_prices"
AT = start_of_hour(timezone.now()) - 3 * HOUR
"""So young that its hours are kept."""


def _at(hours: float) -> str:
    return f"{AT + hours * HOUR:%Y-%m-%dT%H:%M:%SZ}"


THEN = f"since={_at(-2)}&until={_at(1)}"
pytestmark = pytest.mark.django_db


@pytest.fixture
def worked() -> None:
    web, worker = store_process("web"), store_process("worker")
    store_work(
        web, AT,
        figures("shop:detail", 40, kind=VIEW, kept=0, kept_kib=1, peak_kib=2_048, seconds=0.05, errors=3),
        figures("shop:upload", 2, kind=VIEW, peak_kib=6 * 1024 * 1024, shared=1),
    )  # fmt: skip
    store_work(worker, AT - HOUR, figures(SYNC, 300, kept=2, kept_kib=1))


def _names(client: APIClient, query: str = "") -> list[str]:
    return [row["name"] for row in client.get(f"{WORK}?{THEN}&{query}").json()["results"]]


@pytest.mark.usefixtures("worked")
def test_a_row_names_the_span_of_the_highest_peak(viewer: APIClient) -> None:
    WorkRollup.objects.filter(work__name="shop:upload").update(peak_trace=f"{'4b' * 16}-{'0f' * 8}")
    by_name = {row["name"]: row for row in viewer.get(f"{WORK}?{THEN}").json()["results"]}
    assert (by_name["shop:upload"]["peak_trace_id"], by_name["shop:upload"]["peak_span_id"]) == ("4b" * 16, "0f" * 8)
    assert (by_name["shop:detail"]["peak_trace_id"], by_name["shop:detail"]["peak_span_id"]) == (None, None)


@pytest.mark.usefixtures("worked")
def test_a_row_says_what_the_calls_of_a_name_took_and_kept(viewer: APIClient) -> None:
    (row,) = viewer.get(f"{WORK}?{THEN}&name=shop:detail").json()["results"]
    assert list(row) == ["service", "kind", "name", *FIGURES, "peak_trace_id", "peak_span_id"]
    assert (row["service"], row["kind"], row["calls"], row["errors"], row["shared"]) == ("web", "view", 40, 3, 0)
    assert (row["kept_blocks_per_call"], row["kept_kib_per_call"], row["peak_mb_max"]) == (0.0, 1.0, 2.0)
    assert row["peak_mb_p50"] == pytest.approx(2, rel=0.05)
    assert row["seconds_p95"] == pytest.approx(0.05, rel=0.05)


@pytest.mark.usefixtures("worked")
def test_figures_that_were_not_measured_are_null(viewer: APIClient) -> None:
    (row,) = viewer.get(f"{WORK}?{THEN}&name={SYNC}").json()["results"]
    assert row["kept_blocks_per_call"] == 2.0
    assert row["peak_mb_p50"] is row["peak_mb_p95"] is row["peak_mb_max"] is None


@pytest.mark.usefixtures("worked")
def test_rows_are_filtered_by_service_kind_name_and_time(viewer: APIClient) -> None:
    assert _names(viewer) == [SYNC, "shop:detail", "shop:upload"]
    assert _names(viewer, "service=web") == ["shop:detail", "shop:upload"]
    assert _names(viewer, "kind=task") == [SYNC]
    assert _names(viewer, "kind=task,view&service=worker") == [SYNC]
    assert _names(viewer, "name=shop:*") == ["shop:detail", "shop:upload"]
    assert _names(viewer, "name=*sync*") == [SYNC]
    assert _names(viewer, "name=sync") == []
    assert _names(viewer, f"until={_at(-0.5)}") == [SYNC]
    assert _names(viewer, f"since={_at(-0.5)}") == [SYNC, "shop:detail", "shop:upload"]
    assert _names(viewer, f"since={_at(0)}") == ["shop:detail", "shop:upload"]


def test_the_last_day_is_shown_unless_another_time_is_asked_for(viewer: APIClient) -> None:
    process, now = store_process(), timezone.now()
    store_work(process, now - HOUR, figures("of late", 1))
    store_work(process, now - 30 * HOUR, figures("earlier", 1))
    assert [row["name"] for row in viewer.get(WORK).json()["results"]] == ["of late"]


@pytest.mark.usefixtures("worked")
def test_rows_are_sorted_by_any_field_with_the_unknown_last(viewer: APIClient) -> None:
    assert _names(viewer, "ordering=name") == ["shop.tasks.sync_prices", "shop:detail", "shop:upload"]
    assert _names(viewer, "ordering=-peak_mb_p95") == ["shop:upload", "shop:detail", SYNC]
    assert _names(viewer, "ordering=peak_mb_p95") == ["shop:detail", "shop:upload", SYNC]
    assert _names(viewer, "ordering=-kept_blocks_per_call") == [SYNC, "shop:detail", "shop:upload"]


def test_pages_follow_one_another_without_gap_or_repeat(viewer: APIClient) -> None:
    store_work(store_process(), AT, *(figures(f"task_{number:02}", number + 1) for number in range(23)))
    seen: list[str] = []
    page = f"{WORK}?{THEN}&page_size=5"
    back = None
    while page:
        answer = viewer.get(page).json()
        seen += [row["name"] for row in answer["results"]]
        page, back = answer["next"], answer["previous"]
    assert seen == [f"task_{number:02}" for number in reversed(range(23))]
    assert back is not None
    assert [row["name"] for row in viewer.get(back).json()["results"]] == seen[15:20]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("kind=job", "kind: "),
        ("since=yesterday", "since: give a time"),
        ("until=9999-01-01T00:00:00Z", "until: give a time from 1970 to 2200"),
        ("since=2026-03-02T12:00:00Z&until=2026-03-02T12:00:00Z", "until: give a time after since"),
        ("since=2199-01-01T00:00:00Z", "until: give a time after since"),
        ("ordering=size", "ordering: size is none of: service"),
        ("service=%00", "service: "),
        ("name=%00", "name: "),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(query: str, said: str, viewer: APIClient) -> None:
    answer = viewer.get(f"{WORK}?{query}")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(said)


@pytest.mark.parametrize("cursor", ["nonsense", "cD1hYmM%3D", "cD0lMDA%3D", "cj0xJnA9LTE%3D", "cj0x"])
def test_a_cursor_that_was_made_up_is_not_found(cursor: str, viewer: APIClient) -> None:
    assert viewer.get(f"{WORK}?cursor={cursor}").status_code == 404


def test_a_page_past_the_end_is_empty(viewer: APIClient) -> None:
    assert viewer.get(f"{WORK}?cursor=bz05OTk5OTk5").json()["results"] == []


def test_a_list_takes_as_many_queries_for_many_names_as_for_one(
    viewer: APIClient, django_assert_max_num_queries: Any
) -> None:
    store_work(store_process(), AT, *(figures(f"task_{number}", 1, peak_kib=9) for number in range(60)))
    with django_assert_max_num_queries(5):
        assert len(viewer.get(f"{WORK}?{THEN}&ordering=-peak_mb_p50").json()["results"]) == 60


@pytest.mark.parametrize(
    ("who", "status"), [("anonymous", 401), ("plain", 403), ("viewer", 200), ("operator", 200), ("superuser", 200)]
)
def test_work_takes_the_permission_to_view_it(who: str, status: int, api: Callable[..., APIClient]) -> None:
    client = api(who)
    assert client.get(WORK).status_code == status
    if status == 200:
        assert {getattr(client, verb)(WORK, {}).status_code for verb in ("post", "put", "patch", "delete")} == {405}


def test_who_may_only_view_services_does_not_see_their_work(api: Callable[..., APIClient]) -> None:
    client = api("plain")
    may = Permission.objects.filter(codename__in=("view_service", "view_process", "view_snapshotrollup"))
    User.objects.get(username="plain").user_permissions.set(may)
    assert client.get("/api/v1/services/").status_code == 200
    assert client.get(WORK).status_code == 403


def _explained(leak: Leak, work: Any) -> None:
    leak.evidence = {"rule": "trend", "work": work}
    leak.save()


def test_a_leak_names_the_work_that_explains_it(viewer: APIClient, fleet: Fleet) -> None:
    figures_of = {"per_call": 2.0, "low": 1.9, "high": 2.1, "source": "regression"}
    _explained(
        fleet.leak,
        {
            "culprits": [
                {"works": [{"kind": "task", "name": SYNC}], "share": 0.9, **figures_of},
                {
                    "works": [{"kind": "view", "name": "a"}, {"kind": "view", "name": "b"}],
                    "share": 0.1, **figures_of, "source": "direct",
                },
            ],
            "remark": "",
            "sentence": "…",
        },
    )  # fmt: skip
    row = viewer.get(f"/api/v1/leaks/{fleet.leak.pk}/").json()
    assert [(each["kind"], each["name"], each["share"], each["source"]) for each in row["work"]] == [
        ("task", SYNC, 0.9, "regression"), ("view", "a", 0.1, "direct"), ("view", "b", 0.1, "direct"),
    ]  # fmt: skip
    assert list(row["work"][0]) == ["kind", "name", "per_call", "low", "high", "share", "source"]
    assert viewer.get("/api/v1/leaks/").json()["results"][0]["work"] == row["work"]


@pytest.mark.parametrize(
    "work",
    [
        None,
        "much",
        {"culprits": [], "remark": "time", "sentence": "It grows with time."},
        {"culprits": "none"},
        {"culprits": [None, {"works": [{"kind": "job", "name": "a"}, {"kind": "task"}, "b"]}]},
    ],
)
def test_a_leak_that_nothing_explains_names_none(work: Any, viewer: APIClient) -> None:
    leak = store_leak(store_process())
    _explained(leak, work)
    assert viewer.get(f"/api/v1/leaks/{leak.pk}/").json()["work"] == []


def test_an_interval_without_an_end_is_null(viewer: APIClient) -> None:
    leak = store_leak(store_process())
    culprit = {"works": [{"kind": "task", "name": SYNC}], "per_call": 2, "low": None, "share": 1, "source": "direct"}
    _explained(leak, {"culprits": [culprit]})
    (row,) = viewer.get(f"/api/v1/leaks/{leak.pk}/").json()["work"]
    assert (row["per_call"], row["low"], row["high"], row["share"]) == (2.0, None, None, 1.0)
