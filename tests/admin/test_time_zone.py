"""Times in the zone of who reads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from memwatch.admin.time_zone import COOKIE
from memwatch.models import Leak
from tests.admin.conftest import Fleet

Login = Callable[..., Client]


def test_pages_and_charts_are_in_the_zone_that_the_browser_named(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    fleet.snapshot(process)
    client, url = login("viewer"), reverse("admin:memwatch_process_change", args=(process.pk,))
    assert "Times in UTC" in client.get(url).content.decode()
    client.cookies[COOKIE] = "Asia/Kolkata"
    answer = client.get(url)
    assert "Times in Asia/Kolkata" in answer.content.decode()
    assert answer.context["charts"]["data"]["timezone"] == "Asia/Kolkata"
    assert (
        f"{timezone.localtime(fleet.now, timezone.get_fixed_timezone(330)):%Y-%m-%d %H:%M}" in answer.content.decode()
    )
    assert timezone.get_current_timezone_name() == "UTC"


def test_a_time_is_typed_in_as_it_is_read(fleet: Fleet, login: Login) -> None:
    leak, client = fleet.leak(fleet.process()), login("operator")
    client.cookies[COOKIE] = "Asia/Kolkata"
    url = reverse("admin:memwatch_leak_act", args=(leak.pk, "snooze"))
    assert "Time zone: Asia/Kolkata" in client.get(url).content.decode()
    until = datetime(fleet.now.year + 1, 1, 1, 9, 0, tzinfo=UTC)
    if (until - fleet.now).days > 360:
        until = until.replace(year=fleet.now.year, month=12)
    local = timezone.localtime(until, timezone.get_fixed_timezone(330))
    client.post(url, {"confirmed": "yes", "until": f"{local:%Y-%m-%dT%H:%M}", "comment": ""})
    assert Leak.objects.get(pk=leak.pk).snoozed_until == until


@pytest.mark.parametrize("name", ["Nowhere/Atlantis", "../../etc/passwd", "America", "x" * 999, "<script>", "%00", "Ü"])
def test_nonsense_in_the_cookie_is_no_zone(name: str, fleet: Fleet, login: Login) -> None:
    client = login("viewer")
    client.cookies[COOKIE] = name
    answer = client.get(reverse("admin:memwatch_overview_changelist"))
    assert answer.status_code == 200
    assert " UTC" in answer.context["now"]


def test_a_zone_that_the_site_has_chosen_for_its_user_stays(fleet: Fleet, login: Login) -> None:
    client = login("viewer")
    client.cookies[COOKIE] = "Asia/Kolkata"
    with timezone.override("America/Lima"):
        answer = client.get(reverse("admin:memwatch_overview_changelist"))
    assert answer.context["now"].endswith(" -05")
