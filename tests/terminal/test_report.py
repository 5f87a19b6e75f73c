from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.utils import timezone

from memwatch.models import Leak, Recycle, RecyclingPolicy
from memwatch.services.recordings import heap_analyses
from tests.api.rows import store_leak
from tests.services.conftest import transport_url
from tests.services.recordings.dumps import store_dump
from tests.services.stored import store_process
from tests.services.stored_deaths import store_death
from tests.services.stored_lives import store_lives
from tests.services.stored_work import figures, store_work
from tests.terminal.conftest import Ran

__all__ = ["transport_url"]
EVIL = "shop.<script>alert(1)</script>*Quote*"


@pytest.fixture
def leaks(db: None) -> list[Leak]:
    web, worker = store_process("web"), store_process("worker")
    evidence = {
        "grows_with": ["dict", "list"],
        "container": {"description": "shop.leaks.QUOTES, a dict of 4,500 PriceQuote"},
    }
    return [
        store_leak(worker, "shop.models.Customer", severity="low", verdict="Customer grows."),
        store_leak(web, severity="critical", evidence=evidence, last_seen_at=timezone.now()),
        store_leak(web, "shop.Old", state="resolved"),
    ]


def test_open_leaks_are_told_the_worst_first(run: Callable[..., Ran], leaks: list[Leak]) -> None:
    said = run("memwatch_report").out
    assert said.startswith("2 leaks in 2 processes of 2 services\n")
    assert said.index("critical: shop.leaks.PriceQuote in web-1 on a") < said.index("low: shop.models.Customer")
    assert "held in: shop.leaks.QUOTES, a dict of 4,500 PriceQuote" in said
    assert "grows with it: dict, list" in said
    assert "memory runs out in: 2 h" in said
    assert "shop.Old" not in said


def test_closed_leaks_are_reported_on_request(run: Callable[..., Ran], leaks: list[Leak]) -> None:
    assert "shop.Old" in run("memwatch_report", "--all").out
    only = run("memwatch_report", str(leaks[2].pk), "--format", "json").out
    assert [leak["object_type"] for leak in json.loads(only)["leaks"]] == ["shop.Old"]


def test_a_pipeline_can_fail_on_a_severity(run: Callable[..., Ran], leaks: list[Leak]) -> None:
    assert run("memwatch_report").code == 0
    assert run("memwatch_report", "--fail-on", "critical").code == 2
    assert run("memwatch_report", "--fail-on", "high", "--service", "worker").code == 0


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_the_names_of_the_hosts_classes_are_no_markup(run: Callable[..., Ran], form: str) -> None:
    store_leak(store_process(), EVIL, verdict=f"{EVIL} grows.")
    said = run("memwatch_report", "--format", form).out
    assert "<script>" not in said
    assert "&lt;script&gt;" in said
    if form == "markdown":
        assert r"\*Quote\*" in said


def test_a_report_is_written_to_a_file(run: Callable[..., Ran], leaks: list[Leak], tmp_path: Path) -> None:
    path = tmp_path / "leaks.html"
    ran = run("memwatch_report", "--format", "html", "--output", str(path))
    assert ran.out == ""
    assert "written to" in ran.err
    assert "shop.leaks.PriceQuote" in path.read_text()
    assert "http" not in path.read_text().replace("http-equiv", "")


def test_what_cannot_be_written_or_is_not_there_is_said(run: Callable[..., Ran], leaks: list[Leak]) -> None:
    with pytest.raises(CommandError, match="cannot be written: No such file or directory"):
        run("memwatch_report", "--output", "/nowhere/leaks.txt")
    with pytest.raises(CommandError, match="There is no leak 999999"):
        run("memwatch_report", "999999")


def test_without_leaks_it_says_so(run: Callable[..., Ran]) -> None:
    assert run("memwatch_report").out == "No leaks in 0 processes of 0 services\n"


@pytest.fixture
def work(db: None) -> None:
    now = timezone.now()
    worker = store_process("worker", slot=2)
    store_work(
        worker,
        now,
        figures("shop.tasks.sync", 40, kept=12, kept_kib=3, peak_kib=20 * 1024),
        figures("shop.tasks.import_all", 2, kept_kib=900, peak_kib=300 * 1024),
        figures("shop.tasks.frees", 40, kept_kib=-2, peak_kib=0),
    )
    store_work(store_process("web", slot=2), now, figures("orders:list", 30, kind="view", kept_kib=1))


def test_work_is_reported_by_what_it_keeps_and_by_its_peaks(run: Callable[..., Ran], work: None) -> None:
    lines = run("memwatch_report").out.splitlines()
    assert lines[lines.index("Work: keeps most memory in a call (mean of the last day)") + 1 :] == [
        "  task shop.tasks.sync in worker: 3.00 KB, 12.0 blocks; 40 calls",
        "  view orders:list in web: 1.00 KB; 30 calls",
        "",
        "Work: highest peaks of a call (last day)",
        "  task shop.tasks.import_all in worker: 300.0 MB above the start of the call, 95 % under 298.0 MB; 2 calls",
        "  task shop.tasks.sync in worker: 20.0 MB above the start of the call, 95 % under 20.0 MB; 40 calls",
    ]
    assert "shop.tasks" not in run("memwatch_report", "--service", "web").out


def test_a_report_of_chosen_leaks_has_no_work(run: Callable[..., Ran], leaks: list[Leak], work: None) -> None:
    assert "Work" not in run("memwatch_report", str(leaks[0].pk)).out


def test_work_is_there_for_programs_too(run: Callable[..., Ran], work: None) -> None:
    found = json.loads(run("memwatch_report", "--format", "json").out)["work"]
    assert [line["name"] for line in found["peak"]] == ["shop.tasks.import_all", "shop.tasks.sync"]
    assert (found["kept"][0]["kept_kib"], found["kept"][0]["calls"]) == (3.0, 40)


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_the_names_of_work_are_no_markup(run: Callable[..., Ran], form: str) -> None:
    store_work(store_process(), timezone.now(), figures(EVIL, 20, kept_kib=3, peak_kib=9_000))
    said = run("memwatch_report", "--format", form).out
    assert "<script>" not in said
    assert said.count("&lt;script&gt;") == 2


def test_a_leak_names_the_work_that_explains_it(run: Callable[..., Ran], db: None) -> None:
    evidence = {"work": {"culprits": [], "remark": "", "sentence": "shop.tasks.sync: 2 objects a call."}}
    store_leak(store_process(), evidence=evidence)
    assert "  work: shop.tasks.sync: 2 objects a call.\n" in run("memwatch_report").out


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
def test_deaths_of_the_last_week_are_told_with_what_was_running(run: Callable[..., Ran], db: None, form: str) -> None:
    now = timezone.now()
    for minutes in range(12):
        store_death("web", at=now - timedelta(minutes=minutes))
    store_death("worker", "recycled", at=now)
    store_death("web", at=now - timedelta(days=8))
    said = run("memwatch_report", "--format", form).out
    if form == "json":
        found = json.loads(said)["deaths"]
        assert (found["total"], len(found["lines"])) == (12, 10)
        assert found["lines"][0]["at"] == now.isoformat(timespec="seconds")
        return
    assert "Deaths: 12 in the last week (the last 10)" in said
    assert said.count("The kernel killed it because memory ran out. It had 498 MB of 512 MB.") == 10
    assert said.count("was running in 12 of 12 deaths of the last week.") == 10


def test_without_deaths_nothing_is_said_of_them(run: Callable[..., Ran], leaks: list[Leak]) -> None:
    store_death("web", at=timezone.now(), span=f"{'ab' * 16}-{'cd' * 8}")
    assert "Deaths" not in run("memwatch_report", "--service", "worker").out
    assert "Deaths" not in run("memwatch_report", str(leaks[0].pk)).out
    said = run("memwatch_report").out
    assert "Deaths: 1 in the last week\n" in said
    assert f"The job's trace is {'ab' * 16}." in said


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
def test_settings_that_fit_are_told_of_services_that_leak(run: Callable[..., Ran], db: None, form: str) -> None:
    now = timezone.now()
    store_lives(now, "web")
    store_lives(now, "quiet", kib_per_job=0.0)
    said = run("memwatch_report", "--format", form).out
    if form == "json":
        (line,) = json.loads(said)["settings"]
        assert (line["service"], line["state"]) == ("web", "recycle")
        current, recommended = line["settings"]["max_requests"]
        assert current is None
        assert recommended >= 500
        return
    assert "Settings that fit" in said
    assert "Replace each worker after" in said
    assert "quiet:" not in said


def test_without_anything_to_set_there_is_no_such_section(run: Callable[..., Ran], leaks: list[Leak]) -> None:
    store_lives(timezone.now(), "calm", kib_per_job=0.0)
    assert "Settings that fit" not in run("memwatch_report").out
    assert "Settings that fit" not in run("memwatch_report", str(leaks[0].pk)).out


@pytest.mark.parametrize("form", ["text", "markdown", "json", "html"])
def test_how_recycling_stands_is_told_in_a_line(run: Callable[..., Ran], db: None, form: str) -> None:
    process = store_process("web")
    RecyclingPolicy.objects.create(service=process.service, mode="act", limit_mb=300)
    RecyclingPolicy.objects.create(service=store_process("idle").service, mode="off", limit_mb=300)
    for state in ("recycled", "recycled", "left"):
        Recycle.objects.create(
            service=process.service, process=process, name="web-1 on a", state=state, because="limit", why="large"
        )
    out = run("memwatch_report", "--format", form)
    assert "web: act; 2 recycled, 1 left alone in the last week" in out.out
    assert "idle: off" not in out.out


def test_a_heap_dump_names_the_holder_and_what_would_be_freed(
    run: Callable[..., Ran], transport_url: str, settings: Any, tmp_path: Path, db: None
) -> None:
    assert transport_url
    settings.MEMWATCH = {**getattr(settings, "MEMWATCH", {}), "RECORDINGS_FOLDER": str(tmp_path / "recordings")}
    process = store_process()
    store_leak(process, "shop.leaks.Quote")
    dump = store_dump(process, tmp_path, "attribute_of_an_instance")
    assert "heap dump:" not in run("memwatch_report").out
    heap_analyses.analysis(dump)
    said = run("memwatch_report").out
    assert "heap dump: 40 shop.leaks.Quote objects, 5.9 KB to be freed; shop.leaks.AuditTrail.trail keeps 40" in said


def test_how_probable_a_leak_is_and_what_became_of_others(run: Callable[..., Ran], leaks: list[Leak]) -> None:
    Leak.objects.filter(severity="critical").update(probability=0.91)
    said = run("memwatch_report").out
    assert "probability: 91 %: nine in ten of the verdicts at this level are leaks" in said
    sentence = "Of the last 3 leaks found here, 0 were confirmed and 0 dismissed; 3 are not decided."
    assert sentence in said
    for made in ("markdown", "html", "json"):
        assert sentence in run("memwatch_report", "--format", made).out
