"""The page "Settings that fit": the list of services, and the page of each."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from memwatch.models import Leak, Process, Service, WorkName
from tests.admin.conftest import EVIL, Fleet
from tests.services.stored import store_process
from tests.services.stored_lives import store_lives, store_peaks

Login = Callable[..., Client]
LIST = "/admin/memwatch/recommendation/"


@pytest.fixture
def client(login: Login) -> Client:
    return login("viewer")


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    body = answer.content.decode()
    assert "<script>alert" not in body
    return " ".join(re.sub(r"<[^>]*>", " ", body.partition("<main")[2] or body).split())


def url(service: str) -> str:
    return reverse("admin:memwatch_recommendation_change", args=(Service.objects.get(name=service).pk,))


def leaking(service: str = "web", **values: object) -> Process:
    now = timezone.now()
    process = store_lives(now, service, **values)[-1]  # type: ignore[arg-type]
    store_peaks(process, now)
    return process


def test_a_service_has_its_numbers_the_week_the_lines_and_the_calculation(client: Client) -> None:
    leaking()
    Process.objects.update(server_settings={"server": "gunicorn", "max_requests": 100})
    shown = text(client, url("web"))
    assert re.search(r"Replace each worker after [\d,]+ jobs: 2 workers stay below 819 MB", shown)
    assert re.search(r"max_requests 100 [\d,]+ ", shown)
    week = re.search(r"As it is now ([\d.]+) MB [\d.]+ % ([\d.]+) 100 A new", shown)
    assert week is not None, shown
    assert (float(week[1]), float(week[2])) == (pytest.approx(345, abs=10), pytest.approx(576, rel=0.05))
    assert re.search(r"max_requests = \d+ max_requests_jitter = \d+", shown)
    assert "reload-on-rss" in shown
    assert "--workers-max-rss" in shown
    assert "memory: &quot;1024Mi&quot;" in shown
    assert "Left for growth:" in shown
    assert "shop.report" in shown


def test_celery_gets_celerys_lines(client: Client) -> None:
    leaking("worker", program="celery child")
    shown = text(client, url("worker"))
    assert re.search(r"app\.conf\.worker_max_tasks_per_child = \d+", shown)
    assert re.search(r"celery -A yoursite worker --max-tasks-per-child=\d+ --max-memory-per-child=\d+", shown)
    assert "gunicorn" not in shown


def test_a_kill_loop_is_said(client: Client) -> None:
    leaking("worker", program="celery child")
    Process.objects.update(server_settings={"server": "celery", "pool": "prefork", "max_memory_per_child": 150_000})
    assert "worker_max_memory_per_child is 150,000 KB (146 MB), and a fresh child reaches" in text(
        client, url("worker")
    )


def test_what_does_not_grow_needs_no_recycling(client: Client) -> None:
    leaking(kib_per_job=0.0)
    shown = text(client, url("web"))
    assert "No recycling needed: memory does not grow" in shown
    assert "max_requests = 0" in shown


def test_too_little_is_not_known_yet(client: Client) -> None:
    store_process(program="gunicorn worker")
    assert "Not known yet. Missing: 0 of 3 lives with at least 6 figures each" in text(client, url("web"))


def test_the_list_names_each_service_with_its_result(client: Client) -> None:
    leaking()
    leaking("quiet", kib_per_job=0.0)
    store_process("new", program="gunicorn worker")
    body = client.get(LIST).content.decode().partition("<tbody>")[2]
    rows = [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in body.split("</tr>")]
    assert rows[0] == "new not known yet — — — —"
    assert rows[1].startswith("quiet no recycling needed none — ")
    assert re.match(r"web recycle [\d,]+ — [\d.]+ MB [\d.]+$", rows[2])


def test_names_of_the_host_are_text(client: Client) -> None:
    process = leaking(EVIL[:100])
    WorkName.objects.update(name=EVIL)
    Process.objects.update(server_settings={"server": EVIL, "pool": EVIL, "workers": "many", "max_requests": [1]})
    for address in (LIST, url(EVIL[:100]), reverse("admin:memwatch_process_change", args=(process.pk,))):
        text(client, address)


def test_a_leak_and_a_service_lead_there(client: Client, fleet: Fleet) -> None:
    leak = fleet.leak(leaking())
    address = url("web")
    page = reverse("admin:memwatch_leak_change", args=(leak.pk,))
    shown = text(client, page)
    assert "Until it is fixed Replace each worker after" in shown
    assert shown.lower().count("until it is fixed") == 1
    for each in (page, reverse("admin:memwatch_service_change", args=(leak.service_id,))):
        assert f'href="{address}"' in client.get(each).content.decode()
    for each in ("/admin/memwatch/operations/", "/admin/memwatch/overview/"):
        assert f'href="{LIST}"' in client.get(each).content.decode()
    Leak.objects.update(state="resolved", resolved_at=timezone.now())
    assert "mw-until-fixed" not in client.get(page).content.decode()


def test_it_needs_the_permission_to_view_services(login: Login) -> None:
    leaking()
    for who, status in (("nobody", 403), ("viewer", 200)):
        visitor = login(who)
        assert [visitor.get(each).status_code for each in (url("web"), LIST)] == [status, status]


def test_the_process_page_shows_what_its_server_says(client: Client) -> None:
    process = store_process(server_settings={"server": "celery", "concurrency": 4, "max_tasks_per_child": 0})
    shown = text(client, reverse("admin:memwatch_process_change", args=(process.pk,)))
    assert "Server celery Concurrency 4 Tasks until a child is replaced none" in shown


def test_the_process_page_shows_the_resource_that_its_traces_have(client: Client) -> None:
    process = store_process(resource={"service.namespace": "acme", "service.name": "shop"})
    shown = text(client, reverse("admin:memwatch_process_change", args=(process.pk,)))
    assert "OpenTelemetry resource service.name shop service.namespace acme" in shown
    assert "OpenTelemetry resource" not in text(
        client, reverse("admin:memwatch_process_change", args=(store_process(slot=2).pk,))
    )
