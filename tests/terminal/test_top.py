from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from memwatch.models import Process
from memwatch.queries.series.trends import growth_mb_per_hour
from memwatch.terminal import death_table, work_table
from memwatch.terminal.live import View
from memwatch.terminal.table import arranged, rows
from tests.api.rows import store_leak
from tests.services.stored import MINUTE, NOON, growing, store_process, store_snapshots
from tests.services.stored_deaths import store_death
from tests.services.stored_work import figures, store_work
from tests.terminal.conftest import Ran


@pytest.fixture
def fleet(db: None) -> None:
    now = timezone.now()
    small, big = store_process("web", slot=1), store_process("worker", slot=1)
    store_snapshots(small, now - 50 * MINUTE, now, lambda _m: {"rss_kib": 100 * 1024})
    store_snapshots(big, now - 50 * MINUTE, now, lambda _m: {"rss_kib": 200 * 1024})
    store_leak(small, severity="high")


def test_every_process_is_a_line_with_its_figures_and_worst_leak(run: Callable[..., Ran], fleet: None) -> None:
    ran = run("memwatch_top", "--once", "--sort", "rss")
    lines = ran.out.splitlines()
    assert "2 processes" in lines[0]
    assert "1 open leaks" in lines[0]
    assert lines[2].startswith("worker-1 on a")
    assert "200.0 MB" in lines[2]
    assert "high shop.leaks.PriceQuote" in lines[3]


def test_one_service_alone_can_be_shown(run: Callable[..., Ran], fleet: None) -> None:
    out = run("memwatch_top", "--once", "--service", "web").out
    assert "web-1" in out
    assert "worker-1" not in out


def test_without_processes_it_says_whom_to_ask(run: Callable[..., Ran]) -> None:
    ran = run("memwatch_top", "--once")
    assert ran.code == 1
    assert "memwatch_doctor" in ran.err


def test_growth_is_told_by_floors_a_spike_is_none(db: None) -> None:
    now = timezone.now()
    begin = now - 55 * MINUTE
    steady, spiky = store_process(slot=1), store_process(slot=2)

    def at(minutes_from_begin: Callable[[float], int]) -> Callable[[float], dict[str, int]]:
        shift = (begin - NOON) / MINUTE
        return lambda minutes: {"rss_kib": minutes_from_begin(minutes - shift)}

    store_snapshots(steady, begin, now, at(lambda m: 100_000 + int(m * 1024)))
    store_snapshots(spiky, begin, now, at(lambda m: 100_000 + (500_000 if m > 30 and int(m) % 5 == 2 else 0)))
    found = growth_mb_per_hour(now)
    assert found[steady.pk] == pytest.approx(60, abs=3)
    assert found[spiky.pk] == pytest.approx(0, abs=1)


def test_a_process_watched_for_minutes_has_no_growth_yet(db: None) -> None:
    now = timezone.now()
    young = store_process()
    store_snapshots(young, now - 6 * MINUTE, now, growing(0, 100))
    assert growth_mb_per_hour(now) == {}


def test_keys_sort_and_filter(fleet: None) -> None:
    view = View(sort="", service="")
    view.press("r")
    assert [row.service for row in arranged(rows(timezone.now()), sort=view.sort)] == ["worker", "web"]
    view.press("/pricequote\r")
    shown = arranged(rows(timezone.now()), sort=view.sort, text=view.text)
    assert [row.service for row in shown] == ["web"]
    view.press("/x\x1b")
    assert view.text == ""
    view.press("q")
    assert view.over


@pytest.fixture
def work(fleet: None) -> None:
    now = timezone.now()
    worker, web = Process.objects.get(service__name="worker"), Process.objects.get(service__name="web")
    store_work(
        worker, now,
        figures("shop.tasks.sync", 300, seconds=0.25, kept_kib=3, kept=12, peak_kib=20 * 1024),
        figures("shop.tasks.report", 2, kept_kib=0, peak_kib=300 * 1024, errors=1),
    )  # fmt: skip
    store_work(web, now, figures("orders:list", 5_000, kind="view"))
    store_work(web, now - 180 * MINUTE, figures("orders:old", kind="view"))


def test_work_is_a_line_for_each_name_of_the_last_hour(run: Callable[..., Ran], work: None) -> None:
    lines = run("memwatch_top", "--work", "--once").out.splitlines()
    assert "3 views, tasks and commands, 5,302 calls in this hour and the one before" in lines[0]
    assert [line.split()[0] for line in lines[2:]] == ["shop.tasks.report", "shop.tasks.sync", "orders:list"]
    assert lines[2].split()[1:3] == ["task", "worker"]
    assert lines[2].endswith("300.0 MB    97.2 ms       1")
    assert " 3.00    12.0    20.0 MB   20.0 MB   250.0 ms" in lines[3]
    assert "orders:list" not in run("memwatch_top", "--work", "--once", "--service", "worker").out


def test_calls_an_hour_are_those_of_the_time_that_has_passed(db: None) -> None:
    now = timezone.now().replace(minute=30)
    process = store_process()
    store_work(process, now - 60 * MINUTE, figures("sync", 60))
    store_work(process, now, figures("sync", 30))
    (line,) = work_table.rows(now)
    assert line.calls_per_hour == pytest.approx(60, rel=0.02)


def test_a_key_shows_work_and_others_sort_it(work: None) -> None:
    view = View(sort="rss", service="")
    found = work_table.rows(timezone.now())

    def shown() -> list[str]:
        return [line.name for line in work_table.arranged(found, sort=view.work_sort, text=view.text)]

    view.press("w")
    assert view.page == "work"
    assert shown() == ["shop.tasks.report", "shop.tasks.sync", "orders:list"]
    view.press("c")
    assert shown()[0] == "orders:list"
    view.press("k")
    assert shown()[0] == "shop.tasks.sync"
    view.press("n")
    assert shown() == ["orders:list", "shop.tasks.report", "shop.tasks.sync"], "by service first"
    view.press("/view\r")
    assert shown() == ["orders:list"]
    view.press("w")
    assert (view.page, view.sort) == ("processes", "rss")


def test_deaths_are_a_line_each_the_last_one_first(run: Callable[..., Ran], fleet: None) -> None:
    now = timezone.now()
    store_death("web", "crash", at=now - 90 * MINUTE, job="")
    store_death("worker", at=now - 3 * MINUTE)
    store_death("worker", "recycled", at=now)
    store_death("worker", at=now - 8 * 24 * 60 * MINUTE)
    lines = run("memwatch_top", "--deaths", "--once").out.splitlines()
    assert lines[0].endswith("2 deaths in the last week")
    assert lines[1].split() == ["ENDED", "PROCESS", "REASON", "JOB", "FOR", "RSS", "LIMIT"]
    assert lines[2].startswith("3 min ago")
    assert "out of memory, killed by the kernel  shop.sync  34.0 s  498.0 MB  512.0 MB" in lines[2]
    assert "crashed" in lines[3]
    assert run("memwatch_top", "--deaths", "--once", "--service", "web").out.count("ago") == 1


def test_a_key_shows_deaths_and_the_filter_finds_their_jobs(fleet: None) -> None:
    now = timezone.now()
    store_death("web", "crash", at=now)
    store_death("worker", at=now, job="shop.report")
    view = View(sort="rss", service="")
    view.press("x/report\r")
    assert view.page == "deaths"
    shown = death_table.arranged(death_table.rows(now).lines, text=view.text)
    assert [line.service for line in shown] == ["worker"]
    view.press("w")
    assert view.page == "work"
    view.press("xx")
    assert (view.page, view.sort) == ("processes", "rss")


def test_the_live_table_is_left_with_q_and_leaves_the_terminal_as_it_was(tmp_path: Path, migrated: Path) -> None:
    """On a terminal of its own, against an empty database."""
    environ = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "MEMWATCH_VAR": str(tmp_path),
        "TERM": "xterm",
    }
    manage = [sys.executable, str(Path(__file__).parents[2] / "manage.py")]
    shutil.copy(migrated, tmp_path / "db.sqlite3")
    terminal, child_end = pty.openpty()
    process = subprocess.Popen(
        [*manage, "memwatch_top"], env=environ, stdin=child_end, stdout=child_end, stderr=child_end, close_fds=True
    )
    os.close(child_end)
    try:
        seen = _read_until(terminal, b"memwatch_doctor", seconds=60)
        os.write(terminal, b"w")
        seen += _read_until(terminal, b"within the last hour", seconds=60)
        os.write(terminal, b"q")
        seen += _read_until(terminal, b"\x1b[?1049l", seconds=30)
        assert process.wait(30) == 0, seen
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        os.close(terminal)


def _read_until(terminal: int, wanted: bytes, *, seconds: float) -> bytes:
    seen, until = b"", time.monotonic() + seconds
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0.0, until - time.monotonic()))
        assert ready, f"{wanted!r} did not come; seen: {seen[-500:]!r}"
        seen += os.read(terminal, 65536)
    return seen
