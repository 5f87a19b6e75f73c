"""The rows for each server, the findings, the simulated week, the lines to paste."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from memwatch.recommendations import Advice, advise
from memwatch.recommendations import advice as names
from memwatch.recommendations.facts import HOST, PROCESS, Peaks, Service
from memwatch.recommendations.findings import fresh_peak_mb
from memwatch.recommendations.lines import snippets
from tests.recommendations.lives import life, service

CELERY = {"server": "celery", "current": {"server": "celery", "pool": "prefork"}}


def advice(parts: dict[str, Any] | None = None, **of_lives: Any) -> Advice:
    return advise(service(parts=parts, **of_lives), 0.8)


def recommended(found: Advice) -> dict[str, int | None]:
    return {row.name: row.recommended for row in found.settings}


def codes(found: Advice) -> list[str]:
    return [each.code for each in found.findings]


def celery(**parts: Any) -> dict[str, Any]:
    current = {**CELERY["current"], **parts.pop("current", {})}  # type: ignore[dict-item]
    return {**CELERY, "current": current, **parts}


def test_jitter_is_part_of_the_longest_life() -> None:
    found = advice()
    row = recommended(found)
    requests, jitter = row[names.REQUESTS], row[names.JITTER_SETTING]
    assert requests is not None
    assert jitter is not None
    assert jitter == requests // 10
    assert found.plan.jobs is not None
    assert requests + jitter <= found.plan.jobs


@pytest.mark.parametrize(
    ("server", "rows"),
    [
        ("gunicorn", ["max_requests", "max_requests_jitter", "workers"]),
        ("uvicorn", ["max_requests", "workers"]),
        ("granian", ["workers"]),
        ("celery", ["worker_max_tasks_per_child", "worker_max_memory_per_child", "worker_concurrency"]),
        ("", []),
    ],
)
def test_each_server_has_its_own_settings(server: str, rows: list[str]) -> None:
    assert list(recommended(advice({"server": server}))) == [*rows, "container_request_mb", "container_limit_mb"]


@pytest.mark.parametrize("peak_mb", [10.0, 300.0])
def test_a_memory_limit_leaves_room_for_a_fresh_child_with_its_largest_job(peak_mb: float) -> None:
    peaks = Peaks(calls=1000, typical_mb=5.0, highest_mb=peak_mb)
    found = advice(celery(peaks=peaks))
    kib = recommended(found)[names.MEMORY]
    assert kib is not None
    assert kib / 1024 >= fresh_peak_mb(found.plan) >= 100 + peak_mb


def test_beyond_the_known_lives_memory_is_not_given_away() -> None:
    """A machine has room for gigabytes; ten times the longest life needs some hundred MB."""
    found = advice(celery(limit_mb=24_000.0), jobs=200, hours=0.3)
    kib = recommended(found)[names.MEMORY]
    assert found.plan.capped
    assert kib is not None
    assert kib / 1024 == pytest.approx(200, abs=15)


def test_a_limit_in_force_below_that_is_a_kill_loop() -> None:
    peaks = Peaks(calls=1000, typical_mb=5.0, highest_mb=110.0)
    assert "kill_loop" in codes(advice(celery(peaks=peaks, current={"max_memory_per_child": 200_000})))
    assert "kill_loop" not in codes(advice(celery(peaks=peaks, current={"max_memory_per_child": 300_000})))
    assert "kill_loop" not in codes(advice(celery(peaks=peaks, current={"max_memory_per_child": 0})))


def test_a_pool_of_threads_replaces_no_process() -> None:
    found = advice(celery(current={"pool": "gevent"}))
    assert names.TASKS not in recommended(found)
    assert "no_recycling" in codes(found)


def test_too_low_a_limit_says_what_would_fit() -> None:
    found = advice({"limit_mb": 230.0})
    assert codes(found)[0] == "limit_too_low"
    assert "raise the limit, or run 1 workers" in found.findings[0].text
    row = recommended(found)
    assert row[names.REQUESTS] is None
    assert row[names.WORKERS] == 1
    assert (row[names.LIMIT] or 0) > 230


def test_a_leak_in_the_parent_is_seen_in_the_births() -> None:
    lives = tuple(life(number, base_mb=100.0 + 5 * number) for number in range(12))
    assert "parent_grows" in codes(advise(dataclasses.replace(service(), lives=lives), 0.8))
    assert "parent_grows" not in codes(advice(lives=12))


def test_a_preloaded_application_is_said_to_be_shared() -> None:
    assert "shared" in codes(advice(base_mb=500.0, shared_mb=450.0))
    assert "shared" not in codes(advice(base_mb=500.0, shared_mb=50.0))


def test_one_worker_and_growth_by_the_hour_are_said() -> None:
    assert "one_worker" in codes(advice({"workers": 1}))
    lives = tuple(life(n, kib_per_job=0, mb_per_hour=20, jobs=200 + 300 * (n % 4)) for n in range(8))
    assert "by_time" in codes(advise(dataclasses.replace(service(), lives=lives), 0.8))


def test_a_mixture_of_releases_is_said() -> None:
    lives = tuple(life(number, release=f"1.{number % 2}") for number in range(4))
    assert "release" in codes(advise(dataclasses.replace(service(), lives=lives), 0.8))


def test_the_week_shows_what_each_choice_costs() -> None:
    found = advice({"current": {"max_requests": 20}})
    week = found.outcomes
    assert week["recommended"].peak_mb <= 800
    assert week["current"].jobs_per_life == pytest.approx(20)
    assert week["every_100"].jobs_per_life == pytest.approx(100)
    assert week["recommended"].recycles_per_day < 0.05 * week["every_100"].recycles_per_day
    assert week["recommended"].hours == pytest.approx(168)


def test_without_recycling_the_week_ends_above_the_limit() -> None:
    assert advice().outcomes["current"].peak_mb > 1000


def test_a_limit_of_each_process_asks_for_no_container() -> None:
    assert names.LIMIT not in recommended(advice({"limit_of": PROCESS}))
    assert advice({"limit_of": HOST}).setting(names.LIMIT).current is None  # type: ignore[union-attr]


def test_unknown_gives_no_number_at_all() -> None:
    found = advise(Service(name="web", server="gunicorn", workers=3), 0.8)
    assert {row.recommended for row in found.settings} == {None}
    assert all(row.reason.startswith("not known yet: no worker has reported") for row in found.settings)
    assert (found.outcomes, found.steps, snippets(found)) == ({}, (), ())


def test_the_calculation_adds_up() -> None:
    found = advice(base_mb=150.0, spread=0.0, noise_mb=0.01)
    assert found.steps[:6] == (
        "10 lives, 1,000 to 1,000 jobs each",
        "Target: 80% of the limit of the container, 1,000 MB: 800 MB",
        "Warm worker, without growth: at most 150 MB; 2 together 300 MB (95%)",
        "Jobs: one with the highest peak of the week and 10 %, 11 MB; 1 more below which 95 % stay, 1.0 MB each",
        "Needed without growth: 312 MB",
        "Left for growth: 488 MB",
    )


def test_lines_for_the_own_server_come_first() -> None:
    def keys(found: Advice) -> list[str]:
        return [each.key for each in snippets(found)]

    assert keys(advice({"server": "uwsgi"})) == ["uwsgi", "gunicorn", "granian", "uvicorn", "kubernetes", "compose"]
    assert keys(advice(celery())) == ["celery", "celery-command", "kubernetes", "compose"]
    assert keys(advice({"server": ""})) == ["kubernetes", "compose"]


def test_gunicorn_can_run_the_lines() -> None:
    """They are Python, and gunicorn knows each name."""
    config = pytest.importorskip("gunicorn.config")
    found: dict[str, Any] = {}
    exec(snippets(advice())[0].text, found)
    checked = config.Config()
    for name in ("workers", "max_requests", "max_requests_jitter"):
        checked.set(name, found[name])
    assert checked.max_requests == found["max_requests"] > 0


def test_celery_knows_the_names_of_the_lines() -> None:
    celery_package = pytest.importorskip("celery")
    app = celery_package.Celery("shop")
    exec(snippets(advice(celery()))[0].text, {"app": app})
    assert app.conf.worker_max_tasks_per_child > 0
    assert app.conf.worker_max_memory_per_child > 100_000
    assert {"worker_max_tasks_per_child", "worker_concurrency"} <= set(app.conf.changes)
