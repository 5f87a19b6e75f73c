"""The list of leaks and the overview: a type that leaks in several processes of a service is one row."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from memwatch.models import Alert, Leak
from memwatch.services import alerts
from tests.admin.conftest import Fleet

Login = Callable[..., Client]

LEAKS, OVERVIEW = reverse("admin:memwatch_leak_changelist"), reverse("admin:memwatch_overview_changelist")
QUOTE, CART = "shop.leaks.PriceQuote", "shop.leaks.Cart"


@pytest.fixture
def shared(fleet: Fleet) -> list[Leak]:
    """One type in four processes, the third the worst of them; another type in one."""
    processes = [fleet.process("shop", slot) for slot in range(1, 5)]
    for process in processes:
        fleet.snapshot(process, heap_used_mb=100.0)
    rows = [fleet.leak(process, QUOTE) for process in processes]
    Leak.objects.filter(pk=rows[2].pk).update(severity="critical")
    return [*rows, fleet.leak(processes[0], CART, severity="medium")]


def listed(client: Client, query: str = "") -> list[int]:
    return [leak.pk for leak in client.get(LEAKS + query).context["cl"].result_list]


def test_the_list_has_a_row_for_each_cause_that_unfolds_to_its_processes(shared: list[Leak], login: Login) -> None:
    client = login("viewer")
    text = client.get(LEAKS).content.decode()
    assert listed(client) == [shared[2].pk, shared[4].pk]
    assert "<summary>4 processes of shop</summary>" in text
    for leak in shared[:4]:
        assert f'<a href="{reverse("admin:memwatch_leak_change", args=(leak.pk,))}">shop-' in text


def test_every_process_has_a_row_where_the_address_asks_for_it(shared: list[Leak], login: Login) -> None:
    client = login("viewer")
    service = shared[0].service_id
    each = f"?by=process&service__id__exact={service}&kind__exact=objects&object_type={QUOTE}"
    assert set(listed(client, each)) == {leak.pk for leak in shared[:4]}
    assert each.replace("&", "&amp;") in client.get(LEAKS).content.decode()
    assert len(listed(client, "?by=process")) == 5
    assert len(listed(client, "?by=<script>")) == 2


def test_a_row_stands_for_what_the_filters_leave(shared: list[Leak], login: Login) -> None:
    client = login("viewer")
    Leak.objects.filter(pk=shared[2].pk).update(state=Leak.State.RESOLVED)
    assert len(client.get(LEAKS).context["cl"].result_list[0].members) == 3
    assert listed(client, "?state=resolved") == [shared[2].pk]
    first = client.get(LEAKS + "?state=all").context["cl"].result_list
    assert [(leak.object_type, leak.state) for leak in first] == [(QUOTE, "open"), (CART, "open")]
    assert len(first[0].members) == 4


def test_the_worst_come_first_by_severity_and_then_by_the_time_that_is_left(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    for name, severity, left in (
        ("a.NoEnd", "high", None), ("b.Later", "high", 80_000.0), ("c.Sooner", "high", 50_000.0), ("d.Low", "low", 1.0),
    ):  # fmt: skip
        fleet.leak(process, name, severity=severity, time_to_exhaustion_s=left)
    rows = login("viewer").get(LEAKS).context["cl"].result_list
    assert [leak.object_type for leak in rows] == ["c.Sooner", "b.Later", "a.NoEnd", "d.Low"]


def test_what_is_done_to_a_row_is_done_in_all_its_processes(shared: list[Leak], login: Login) -> None:
    client = login("operator")
    chosen = {"action": "acknowledge", "_selected_action": shared[2].pk, "index": 0}
    asked = client.post(LEAKS, chosen)
    assert "4 leaks" in asked.content.decode()
    client.post(LEAKS, {**chosen, "rows": asked.context["pks"], "confirmed": "yes"})
    assert set(Leak.objects.values_list("object_type", "state")) == {(QUOTE, "acknowledged"), (CART, "open")}


def test_where_each_process_has_a_row_only_that_is_acted_on(shared: list[Leak], login: Login) -> None:
    chosen = {"action": "acknowledge", "_selected_action": shared[2].pk, "index": 0}
    asked = login("operator").post(f"{LEAKS}?by=process", chosen)
    assert asked.context["pks"] == str(shared[2].pk)


def test_many_processes_take_no_more_queries_and_the_worst_of_them_are_shown(
    fleet: Fleet, shared: list[Leak], login: Login
) -> None:
    client = login("viewer")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(LEAKS)
        return len(captured)

    queries()
    few = queries()
    for slot in range(5, 46):
        fleet.leak(fleet.process("shop", slot), QUOTE)
    assert queries() == few
    text = client.get(LEAKS).content.decode()
    assert "45 processes of shop" in text
    assert text.count('<li><a href="') == 20
    assert text.index(">shop-3<") < text.index(">shop-1<")


def test_the_overview_and_the_services_count_causes_and_alerts_are_as_many(shared: list[Leak], login: Login) -> None:
    alerts.check()
    client = login("viewer")
    page = client.get(OVERVIEW)
    tiles = {tile.label: tile for tile in page.context["tiles"]}
    assert (tiles["Open leaks"].value, tiles["Alerts raised"].value) == ("2", "2")
    assert "1 critical" in tiles["Open leaks"].hint
    assert [row["leaks"] for row in page.context["services"]] == ["2"]
    assert len(page.context["leaks"]) == len(page.context["alerts"]) == 2
    services = client.get(reverse("admin:memwatch_service_changelist")).context["cl"].result_list
    assert [service.leaks_open for service in services] == [2]


def test_the_worst_alert_comes_first_in_the_overview_and_in_the_list(shared: list[Leak], login: Login) -> None:
    Leak.objects.filter(object_type=CART).update(severity="low")
    alerts.check()
    Alert.objects.filter(severity="low").update(raised_at=shared[0].detected_at.replace(year=2090))
    client = login("viewer")
    assert "leaks in 4 processes" in client.get(OVERVIEW).context["alerts"][0]["whole"]
    rows = client.get(reverse("admin:memwatch_alert_changelist")).context["cl"].result_list
    assert [alert.severity for alert in rows] == ["critical", "low"]


def test_the_page_of_an_alert_counts_the_processes_and_leads_to_them(shared: list[Leak], login: Login) -> None:
    alerts.check()
    alert = Alert.objects.get(processes=4)
    text = login("viewer").get(reverse("admin:memwatch_alert_change", args=(alert.pk,))).content.decode()
    assert "4 processes" in text
    assert "by=process&amp;service__id__exact=" in text
