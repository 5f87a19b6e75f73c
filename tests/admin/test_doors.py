"""The admin's index: six entries, a card with the state of the fleet, and a page that leads to everything else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.db import connection
from django.db.models import Model
from django.template import Context, Template
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from memwatch.admin import register
from memwatch.admin.doors import DOORS
from memwatch.admin.operations.index import SECTIONS
from memwatch.models import Alert, Counter, Process, Recording
from tests.admin.conftest import Fleet
from tests.services.stored_deaths import store_death

Login = Callable[..., Client]

pytestmark = pytest.mark.django_db

CARD = 'class="mw-card"'


def _index(client: Client) -> str:
    return client.get(reverse("admin:index")).content.decode()


def _entries(client: Client) -> list[str]:
    """The models of memwatch in the index, by name."""
    apps = client.get(reverse("admin:index")).context["app_list"]
    return [model["object_name"].lower() for app in apps if app["app_label"] == "memwatch" for model in app["models"]]


def test_index_has_six_entries(login: Login) -> None:
    assert sorted(_entries(login("root"))) == sorted(DOORS)


def test_every_table_is_an_entry_or_listed_in_settings_and_operations(login: Login) -> None:
    page = login("root").get(reverse("admin:memwatch_operations_changelist")).content.decode()
    listed = {label.removeprefix("memwatch.") for _title, texts in SECTIONS for label in texts}
    for model in admin.site._registry:
        if model._meta.app_label == "memwatch" and model._meta.model_name not in DOORS:
            assert model._meta.model_name in listed
            assert reverse(f"admin:memwatch_{model._meta.model_name}_changelist") in page
    assert reverse("admin:authtoken_tokenproxy_changelist") in page


def _related(client: Client, row: Model) -> dict[str, str]:
    """The lists that the page of the row leads to, by the name of their model."""
    answer = client.get(reverse(f"admin:memwatch_{row._meta.model_name}_change", args=(row.pk,)))
    urls = [each["url"] for each in answer.context["related"]]
    assert all(f'href="{escape(url)}"' in answer.content.decode() for url in urls)
    return {url.split("/")[-2]: url for url in urls}


@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_what_the_index_hides_is_reached_from_the_page_it_belongs_to(fleet: Fleet, login: Login, who: str) -> None:
    process = fleet.process()
    fleet.snapshot(process)
    leak = fleet.leak(process)
    alert = Alert.objects.create(type="leak", severity="high", service=process.service, subject="1", message="Leaks.")
    recording = Recording.objects.create(process=process, kind="heap_summary")
    client = login(who)
    wanted: dict[Model, set[str]] = {
        leak: {"expectedgrowth", "recording", "alert", "objecttype"},
        process: {"snapshot", "snapshotrollup", "baseline", "command", "service"},
        process.service: {"release", "baseline", "expectedgrowth"},
        alert: {"notification"},
        recording: {"trigger"},
    }
    for row, names in wanted.items():
        links = _related(client, row)
        assert names <= links.keys(), row
        assert {url: client.get(url).status_code for url in links.values()} == dict.fromkeys(links.values(), 200)
    assert "process__id__exact" in _related(client, process)["command"]


def test_a_link_is_only_there_for_those_who_may_follow_it(fleet: Fleet, login: Login) -> None:
    process = fleet.process()
    assert _related(login("few", "view_process", "view_command"), process).keys() == {"command", "death"}
    service = process.service
    assert _related(login("one", "view_service"), service).keys() == set()


def test_lists_lead_to_what_belongs_to_them(login: Login) -> None:
    client = login("viewer")
    for name, other in (("recording", "trigger"), ("leak", "expectedgrowth"), ("alert", "notification")):
        page = client.get(reverse(f"admin:memwatch_{name}_changelist")).content.decode()
        assert f'href="{reverse(f"admin:memwatch_{other}_changelist")}"' in page, name


def test_users_see_only_what_they_may_open(login: Login) -> None:
    assert _entries(login("staff")) == []
    assert CARD not in _index(login("staff-too"))
    client = login("alerts", "view_alert")
    assert _entries(client) == ["alert"]
    assert CARD in _index(client)
    assert client.get(reverse("admin:memwatch_operations_changelist")).status_code == 403
    client = login("snapshots", "view_snapshot")
    assert _entries(client) == ["operations"]
    page = client.get(reverse("admin:memwatch_operations_changelist")).content.decode()
    assert reverse("admin:memwatch_snapshot_changelist") in page
    assert reverse("admin:memwatch_command_changelist") not in page
    assert reverse("admin:authtoken_tokenproxy_changelist") not in page


def test_card_names_the_worst_leaks_alerts_and_silent_processes(fleet: Fleet, login: Login) -> None:
    for slot in (1, 2, 3):
        fleet.leak(fleet.process("shop", slot=slot), severity="low")
    silent = fleet.process("web", last_seen_at=fleet.now - timedelta(hours=1))
    worst = fleet.leak(silent, "web.Session", severity="critical")
    store_death(at=fleet.now - timedelta(hours=23))
    store_death(at=fleet.now - timedelta(hours=25))
    store_death(at=fleet.now - timedelta(hours=1), reason=Process.End.STOPPED)
    Alert.objects.create(type="leak", severity="high", service=silent.service, subject="1", message="It leaks.")
    page = _index(login("viewer"))
    assert "2 leaks are open." in page, "the same leak in three processes counts once"
    assert page.index("web.Session") < page.index("shop.leaks.PriceQuote")
    assert reverse("admin:memwatch_leak_change", args=(worst.pk,)) in page
    for text in ("2 open", "4 alive, 1 silent, 1 death in 24 h", "1 raised"):
        assert text in page


@pytest.mark.parametrize(
    ("values", "headline"),
    [
        ({"leaks_known": True}, "No leak is open."),
        ({"leaks_known": False}, "No leak is open yet. 1 of 1 processes have too few object counts for a verdict."),
        ({"leaks_known": True, "growing": True}, "No leak is open, but 1 process grows."),
        ({"ended": True}, "Leaks are unknown: no process reports."),
    ],
)
def test_headline_is_good_news_only_where_all_is_known(
    values: dict[str, bool], headline: str, fleet: Fleet, login: Login
) -> None:
    fleet.process(
        "shop",
        leaks_known=values.get("leaks_known", True),
        growing_since=fleet.now if values.get("growing") else None,
        ended_at=fleet.now if values.get("ended") else None,
    )
    assert headline in _index(login("viewer"))


def test_who_may_not_see_leaks_reads_nothing_of_them(fleet: Fleet, login: Login) -> None:
    fleet.leak(fleet.process("shop"))
    page = _index(login("processes", "view_process"))
    assert "1 alive" in page
    assert "is open" not in page
    assert "PriceQuote" not in page


def test_card_takes_six_queries_whatever_the_fleet(fleet: Fleet, login: Login) -> None:
    client = login("viewer")
    assert _index(client)
    counts = []
    for count in (1, 8):
        for slot in range(count):
            fleet.leak(fleet.process(f"shop-{count}", slot=slot), f"shop.Type{slot}")
        with CaptureQueriesContext(
            connection,
        ) as found:
            _index(client)
        counts.append(sum("memwatch_" in each["sql"] for each in found))
    assert counts == [6, 6]


def test_card_leads_to_what_killed_a_worker_what_did_it_and_which_number_to_set(fleet: Fleet, login: Login) -> None:
    fleet.process("shop")
    lists = [reverse(f"admin:memwatch_{name}_changelist") for name in ("workrollup", "death", "recommendation")]
    page = _index(login("viewer"))
    assert [url for url in lists if f'<a href="{url}">' in page] == lists
    page = _index(login("alerts", "view_alert"))
    assert [url for url in lists if f'<a href="{url}">' in page] == []


def test_a_report_that_waits_to_be_stored_makes_no_process_silent(fleet: Fleet, login: Login) -> None:
    fleet.process("web", last_seen_at=fleet.now - timedelta(seconds=20))
    with override_settings(MEMWATCH={**settings.MEMWATCH, "SNAPSHOT_INTERVAL": 2}):
        assert "1 alive" in (page := _index(login("viewer")))
        assert "silent" not in page
        answer = login("overview", "view_service").get(reverse("admin:memwatch_overview_changelist"))
        assert "all report" in answer.content.decode()
    fleet.process("web", slot=2, last_seen_at=fleet.now - timedelta(minutes=3))
    assert "1 silent" in _index(login("processes", "view_process"))


def test_card_is_on_the_page_of_the_application(login: Login) -> None:
    page = login("viewer").get(reverse("admin:app_list", kwargs={"app_label": "memwatch"})).content.decode()
    assert page.count(CARD) == 1


def test_index_opens_while_tables_are_missing(login: Login) -> None:
    client = login("viewer")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {Process._meta.db_table} RENAME TO elsewhere")
    page = _index(client)
    assert reverse("admin:memwatch_overview_changelist") in page
    assert "alive" not in page
    assert Counter.objects.count() == 0, "the transaction goes on"


def test_own_index_places_the_card_itself(tmp_path: Path, login: Login) -> None:
    (tmp_path / "admin").mkdir()
    own = '{% extends "admin/index.html" %}{% load memwatch %}{% block content %}<hr id="own">{{ block.super }}'
    (tmp_path / "admin" / "index.html").write_text(own + "{% memwatch_card %}{% endblock %}")
    templates = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    with override_settings(TEMPLATES=templates):
        page = _index(login("viewer"))
    assert page.count(CARD) == 1
    assert page.index('id="own"') < page.index(CARD)


def test_site_with_an_index_template_keeps_it() -> None:
    site = AdminSite(name="own")
    site.index_template = "own/index.html"
    register(site)
    assert site.index_template == "own/index.html"
    other = AdminSite(name="other")
    register(other)
    assert other.index_template == admin.site.index_template


def test_card_outside_of_the_admin_is_empty() -> None:
    context = Context({"request": RequestFactory().get("/")})
    assert Template("{% load memwatch %}{% memwatch_card %}").render(context).strip() == ""
