"""The page Deaths: which ends it lists, and what each row says."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from memwatch.admin.deaths.words import REASONS
from memwatch.models import Process
from memwatch.records.flight import JobRun
from tests.admin.conftest import EVIL, Fleet
from tests.services.stored_deaths import store_death

Login = Callable[..., Client]
DEATHS = "/admin/memwatch/death/"
HOUR = timedelta(hours=1)
End = Process.End


@pytest.fixture
def client(fleet: Fleet, login: Login) -> Client:
    return login("viewer")


def _die(fleet: Fleet, reason: str = End.OOM_PROCESS, *, hours: float = 1, **values: Any) -> Process:
    return store_death(values.pop("service", "worker"), reason, at=fleet.now - hours * HOUR, **values)


def _rows(client: Client, query: str = "") -> list[str]:
    """Each row as text, the first line of a cell and the next divided by a space."""
    answer = client.get(DEATHS + query)
    assert answer.status_code == 200, query
    assert b"<script>alert" not in answer.content
    body = answer.content.decode().partition("<tbody>")[2].partition("</tbody>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in rows]


def test_a_row_says_what_ended_why_during_which_job_and_with_how_much_memory(fleet: Fleet, client: Client) -> None:
    _die(fleet, hours=30)
    process = _die(fleet)
    first, _second = _rows(client)
    assert first == (
        f"{process.slot} a · pid {process.pid} 1 h ago ▲ out of memory shop.sync for 34.0 s 498.0 MB "
        "97.3 % of 512.0 MB shop.sync was running in 2 of 2 deaths of the last week"
    )


def test_ends_that_were_meant_are_shown_only_when_asked_for(fleet: Fleet, client: Client) -> None:
    for reason in End.values:
        _die(fleet, reason)
    fleet.process("alive")
    assert len(_rows(client)) == len(Process.DEATHS)
    assert len(_rows(client, "?reason=all")) == len(End.values)
    (row,) = _rows(client, "?reason=recycled")
    assert "○ recycled" in row
    assert len(_rows(client, "?reason=no-such-reason")) == len(Process.DEATHS)


def test_every_reason_has_a_word(client: Client) -> None:
    assert REASONS.keys() == set(End.values)


def test_older_ends_are_shown_only_when_asked_for(fleet: Fleet, client: Client) -> None:
    for hours in (1, 48, 24 * 20, 24 * 40):
        _die(fleet, hours=hours)
    assert [len(_rows(client, f"?time={length}")) for length in ("24h", "7d", "30d", "all")] == [1, 2, 3, 4]
    assert len(_rows(client)) == 2


def test_rows_are_found_by_service_host_pid_and_job(fleet: Fleet, client: Client) -> None:
    worker, web = _die(fleet), _die(fleet, service="web", job="shop:upload")
    assert len(_rows(client)) == 2
    for query in ("?q=upload", "?q=web", f"?q={web.pid}", f"?service__id__exact={web.service_id}"):
        (row,) = _rows(client, query)
        assert "shop:upload" in row, query
    assert _rows(client, f"?q={worker.pid}+upload") == []


def test_no_job_is_not_the_same_as_a_job_that_is_not_known(fleet: Fleet, client: Client) -> None:
    _die(fleet, End.UNKNOWN, job="")
    assert "none was running 498.0 MB" in _rows(client)[0]
    Process.objects.update(end_evidence={})
    assert "◐ unknown not known — —" in _rows(client)[0]


def test_a_job_names_its_limit_and_how_many_ran_beside_it(fleet: Fleet, client: Client) -> None:
    at = fleet.now - HOUR
    runs = (JobRun("task", EVIL, at.timestamp() - 60, limit_s=60.0), JobRun("task", "other", at.timestamp() - 5))
    process = _die(fleet, End.TIME_LIMIT, job="")
    store_death(reason=End.TIME_LIMIT, at=at, job="", process=process)
    evidence = process.end_evidence
    jobs = [{"kind": run.kind, "name": run.name, "seconds": at.timestamp() - run.began, "limit_s": run.limit_s}
            for run in runs]  # fmt: skip
    Process.objects.update(end_evidence={**evidence, "job": jobs[0], "jobs": jobs})
    (row,) = _rows(client)
    assert f"{escape(EVIL)} for 1 min, limit 1 min and 1 more" in row


def test_a_row_leads_to_the_page_of_its_process(fleet: Fleet, client: Client) -> None:
    process = _die(fleet)
    page = reverse("admin:memwatch_process_change", args=(process.pk,))
    assert f'href="{page}' in client.get(DEATHS).content.decode()
    answer = client.get(reverse("admin:memwatch_death_change", args=(process.pk,)))
    assert (answer.status_code, answer["Location"]) == (302, page)


def test_an_empty_list_says_why(client: Client) -> None:
    assert "No process died in the last 7 days." in client.get(DEATHS).content.decode()
    assert "Nothing matches these filters" in client.get(f"{DEATHS}?reason=crash").content.decode()


def test_who_may_not_view_processes_sees_no_death(fleet: Fleet, login: Login) -> None:
    process = _die(fleet)
    client = login("somebody", "view_service", "view_leak")
    for address in (DEATHS, reverse("admin:memwatch_death_change", args=(process.pk,))):
        assert client.get(address).status_code == 403


def test_overview_service_and_process_lead_to_the_deaths(fleet: Fleet, client: Client) -> None:
    alive = fleet.process("worker", slot=99)
    for hours in (1, 2, 30):
        _die(fleet, hours=hours)
    service = f"{DEATHS}?service__id__exact={alive.service_id}"
    overview = client.get(reverse("admin:memwatch_overview_changelist")).content.decode()
    assert f'<a href="{DEATHS}?time=24h">2</a>' in overview
    assert f'href="{escape(f"{service}&time=24h")}">2 deaths in 24 h</a>' in overview
    for name, row in (("process", alive), ("service", alive.service)):
        assert (
            f'href="{service}">Deaths</a>'
            in client.get(reverse(f"admin:memwatch_{name}_change", args=(row.pk,))).content.decode()
        )
    assert f'href="{DEATHS}">Deaths</a>' in client.get(reverse("admin:memwatch_process_changelist")).content.decode()
