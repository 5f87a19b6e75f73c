"""How a process ended, on its page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from memwatch.models import Leak, Process
from memwatch.records.flight import JobRun, TypeSize
from tests.admin.conftest import EVIL, Fleet
from tests.services.stored_deaths import store_death

Login = Callable[..., Client]
End = Process.End
ROW = "reports.export.Row"


@pytest.fixture
def client(fleet: Fleet, login: Login) -> Client:
    return login("viewer")


def _full(fleet: Fleet, **values: Any) -> Process:
    """A record with everything in it: an hour by the minute, then a minute by the second."""
    at = fleet.now - timedelta(minutes=10)
    end = at.timestamp()
    minutes = [(end - 60.0 * minute, 300.0) for minute in range(60, 1, -1)]
    seconds = [(end - second, 500.0 - 2 * second) for second in range(59, -1, -1)]
    record = {
        "recent": (JobRun("view", "shop:index", end - 50, 12.0), JobRun("task", EVIL, end - 90, 0.25)),
        "rss_seconds": (*minutes, *seconds),
        "container_mb": 400.0,
        "container_limit_mb": 800.0,
        "growers": ((ROW, 1_800_000), (EVIL, 12)),
        "summary": (TypeSize(ROW, 1_700_000, 312.5), TypeSize(EVIL, 3, None)),
        "summary_at": at - timedelta(seconds=7),
        **values,
    }
    return store_death(at=at, process=fleet.process("worker"), span=f"{'ab' * 16}-{'cd' * 8}", **record)


def _page(client: Client, process: Process) -> str:
    answer = client.get(reverse("admin:memwatch_process_change", args=(process.pk,)))
    assert answer.status_code == 200
    assert b"<script>alert" not in answer.content
    return answer.content.decode()


def _text(page: str) -> str:
    """The words of the section and of what belongs to it."""
    part = page.partition('id="mw-end"')[2].partition("Last snapshot")[0]
    return unescape(" ".join(re.sub(r"<[^>]*>", " ", f">{part}").split()))


def test_the_page_says_why_how_certainly_when_and_who_noticed(fleet: Fleet, client: Client) -> None:
    text = _text(_page(client, _full(fleet)))
    assert "The kernel killed it because memory ran out. It had 498 MB of 512 MB." in text
    assert re.search(
        r"▲ out of memory \S+ \S+ UTC after 2 h 50 min certain noticed by another process of its host", text
    )


def test_the_page_says_what_ran_what_the_kernel_reported_and_what_filled_it(fleet: Fleet, client: Client) -> None:
    text = _text(_page(client, _full(fleet)))
    for words in (
        "RSS at the end 498.0 MB highest 500.0 MB Limit used 97.3 % of 512.0 MB",
        "Container limit used 50.0 % of 800.0 MB, shared Job ran for 34.0 s",
        f"Job that was running shop.sync for 34.0 s Trace of the job {'ab' * 16}",
        "OOM kills of the container 0 before, 1 after",
        "Memory limit 512.0 MB, the container's limit",
        f"Jobs that ran just before Job Time Ended before the end shop:index 12.0 s 38.0 s {EVIL} 250.0 ms 1 min",
        f"Type New objects {ROW} +1,800,000 {EVIL} +12",
        f"Type Objects Size {ROW} 1,700,000 312.5 MB {EVIL} 3 — Written 7 s before the end.",
    ):
        assert words in text
    assert "What is not known" not in text
    assert "OOM kills of the whole container" not in text


def test_the_page_says_how_often_the_job_was_running_and_what_to_do(fleet: Fleet, client: Client) -> None:
    process = _full(fleet)
    for hours, job in ((1, "shop.sync"), (2, "other"), (200, "shop.sync")):
        store_death("worker", at=fleet.now - timedelta(hours=hours), job=job)
    page = _page(client, process)
    assert "shop.sync was running in 2 of 3 deaths of the last week. Deaths of worker" in _text(page)
    assert f'href="/admin/memwatch/death/?service__id__exact={process.service_id}&amp;time=all"' in page
    assert "What to do See which job was running" in _text(page)


def test_memory_is_drawn_until_the_end_and_in_its_last_seconds(fleet: Fleet, client: Client) -> None:
    page = _page(client, _full(fleet))
    raw = page.split('<script id="memwatch-charts" type="application/json">')[1].split("</script>", maxsplit=1)[0]
    charts = {chart["id"]: chart for chart in json.loads(raw)["charts"]}
    whole, close = charts["mw-chart-end"], charts["mw-chart-last-seconds"]
    job, rss = whole["series"]
    assert (rss["times"][0], rss["times"][-1], rss["values"][-1]) == (-3600.0, 0.0, 500.0)
    assert len(job["times"]) == 35
    assert min(close["series"][1]["times"]) == -120.0
    assert [line["value"] for line in close["lines"]] == [512.0]
    for name in charts:
        assert page.count(f'<canvas id="{name}"') == 1, name
    assert "As a table: RSS until the end" in page


def test_a_type_that_leaks_leads_to_its_leak(fleet: Fleet, client: Client) -> None:
    process = _full(fleet)
    worst = fleet.leak(process, ROW, severity="critical")
    fleet.leak(fleet.process("worker", slot=2), ROW, severity="low")
    fleet.leak(process, EVIL, state=Leak.State.RESOLVED)
    page = _page(client, process).partition('id="mw-end"')[2].partition("Last snapshot")[0]
    assert page.count("open leak") == 2
    assert page.count(f'href="{reverse("admin:memwatch_leak_change", args=(worst.pk,))}"') == 2


def test_an_end_without_a_record_says_what_is_not_known(fleet: Fleet, client: Client) -> None:
    silent = fleet.process(ended_at=fleet.now, end_reason=End.STALE)
    text = _text(_page(client, silent))
    for words in (
        "It stopped reporting, and nothing shows why.",
        "Job that was running not known",
        "No flight record of it was found.",
        "Its exit status is not known.",
        "The kernel's count of OOM kills in its container is not known.",
    ):
        assert words in text
    assert "RSS at the end" not in text
    assert "certain" not in text


def test_what_is_likely_is_not_called_certain(fleet: Fleet, client: Client) -> None:
    process = _full(fleet, summary=(), summary_at=None)
    process.end_evidence |= {"certain": False, "status": None, "status_from": ""}
    process.save()
    text = _text(_page(client, process))
    assert "likely, but not proven" in text
    assert "Its exit status is not known." in text
    assert "There is no heap summary." in text


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"status": -9, "signal": "SIGKILL", "status_from": "pidfd"}, "SIGKILL, reported by the kernel"),
        ({"status": 3, "signal": None, "status_from": "hook"}, "exit code 3, reported by its parent process"),
    ],
)
def test_the_exit_status_names_who_reported_it(fleet: Fleet, client: Client, known: dict[str, Any], words: str) -> None:
    process = _full(fleet)
    process.end_evidence |= known
    process.save()
    assert f"Exit status {words}" in _text(_page(client, process))


def test_a_living_process_and_one_that_said_goodbye_have_no_such_section(fleet: Fleet, client: Client) -> None:
    gone = fleet.process(slot=2, ended_at=fleet.now, end_reason=End.GOODBYE)
    for process in (fleet.process(), gone):
        page = _page(client, process)
        assert "How it ended" not in page
        assert "Last snapshot</h2>" not in page
    recycled = store_death(at=fleet.now, reason=End.RECYCLED)
    assert "○ recycled" in _text(_page(client, recycled))
