"""The page How good were we, and the probability of a leak where it is shown."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from memwatch.services.leaks import actions
from tests.admin.conftest import EVIL, Fleet

Login = Callable[..., Client]
PAGE = "admin:memwatch_trackrecord_changelist"


def test_the_page_says_what_became_of_the_leaks(fleet: Fleet, login: Login) -> None:
    client = login("operator")
    olga, process = User.objects.get(username="operator"), fleet.process()
    for name in ("shop.One", "shop.Two"):
        actions.acknowledge(fleet.leak(process, name, probability=0.97), by=olga)
    actions.suppress(fleet.leak(process, "shop.Cache", probability=0.88), by=olga, reason="it fills")
    fleet.leak(process, EVIL)
    text = client.get(reverse(PAGE)).content.decode()
    assert "Of the last 4 leaks found here, 2 were confirmed and 1 dismissed; 1 is not decided." in text
    assert "95 to 100 %" in text
    assert "open, not decided" in text
    assert "<script>alert" not in text


def test_the_page_of_a_site_without_leaks_opens(fleet: Fleet, login: Login) -> None:
    assert "No leak was found here yet." in login("viewer").get(reverse(PAGE)).content.decode()


def test_only_who_may_see_leaks_may_see_it(fleet: Fleet, login: Login) -> None:
    assert login("staff", "view_process").get(reverse(PAGE)).status_code == 403
    assert login("other", "view_leak").get(reverse(PAGE)).status_code == 200


def test_settings_and_operations_and_the_leaks_lead_to_it(fleet: Fleet, login: Login) -> None:
    client = login("viewer")
    for page in ("admin:memwatch_operations_changelist", "admin:memwatch_leak_changelist"):
        assert reverse(PAGE) in client.get(reverse(page)).content.decode()


def test_a_leak_shows_its_probability_in_the_list_and_on_its_page(fleet: Fleet, login: Login) -> None:
    client, leak = login("viewer"), fleet.leak(fleet.process(), probability=0.9123)
    assert "91 %" in client.get(reverse("admin:memwatch_leak_changelist")).content.decode()
    text = client.get(reverse("admin:memwatch_leak_change", args=(leak.pk,))).content.decode()
    assert "a leak with a probability of 91 %" in text
    assert "91 %: nine in ten of the verdicts at this level are leaks" in text


def test_a_leak_without_one_shows_its_confidence(fleet: Fleet, login: Login) -> None:
    leak = fleet.leak(fleet.process(), confidence="low")
    text = login("viewer").get(reverse("admin:memwatch_leak_change", args=(leak.pk,))).content.decode()
    assert "low confidence" in text
    assert "with a probability of" not in text
