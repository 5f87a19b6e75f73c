"""A worker is compared with its own kind only, and said to be unusual only when several figures agree for a while."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from memwatch.detection.anomalies.consensus import SIBLINGS, Memory, look
from memwatch.detection.anomalies.figures import values_of
from memwatch.detection.anomalies.lessons import Lesson, is_known
from memwatch.detection.anomalies.passes import Finding, siblings_pass
from memwatch.detection.anomalies.sentence import sentence
from memwatch.detection.anomalies.siblings import Member, Unlike, busier, usual_sibling

USUAL = {"rss": 200.0, "uss": 160.0, "heap": 120.0, "objects": 400_000.0, "blocks": 900_000.0, "threads": 4.0}
LARGE = {"rss": 340.0, "heap": 250.0}
HOUR = 3600.0
BEGIN = 1_800_000_000.0

Fleet = Callable[[float], list[Member]]


def member(pk: int, *, release: str = "1", age_h: float = 6.0, jobs: float = 500.0, **figures: float) -> Member:
    wobble = 1 + (pk * 7919 % 13 - 6) / 400
    values = {name: value * wobble for name, value in USUAL.items()} | figures
    return Member(pk, ("web", release), age_h * HOUR, values, jobs)


def said(fleet: Fleet, hours: float, *, every_s: float = 600.0) -> dict[int, Finding]:
    """All that is said while the hours pass; memory goes through JSON as through the database."""
    stored: dict[int, str] = {}
    found: dict[int, Finding] = {}
    for number in range(int(hours * HOUR / every_s)):
        now = BEGIN + number * every_s
        memories = {pk: Memory.from_json(json.loads(text)) for pk, text in stored.items()}
        passed = siblings_pass(fleet((now - BEGIN) / HOUR), memories, now)
        stored = {pk: json.dumps(memory.to_json()) for pk, memory in passed.memories.items()}
        found |= passed.findings
    return found


def test_a_worker_with_much_more_memory_than_its_siblings_is_unusual() -> None:
    found = said(lambda _now: [member(0, **LARGE), *map(member, range(1, 8))], 4)
    assert set(found) == {0}
    assert set(found[0].figures) == {"rss", "heap"}
    assert found[0].since - BEGIN < HOUR
    assert 25 <= found[0].score <= 100


def test_workers_that_are_alike_are_usual() -> None:
    assert not said(lambda _now: list(map(member, range(50))), 6)


@pytest.mark.parametrize("siblings", [0, 1])
def test_one_worker_or_two_are_compared_with_nobody(siblings: int) -> None:
    assert not said(lambda _now: [member(0, **LARGE), *map(member, range(1, 1 + siblings))], 6)


def test_nothing_is_said_of_a_spike_of_half_an_hour() -> None:
    def fleet(now: float) -> list[Member]:
        return [member(0, **(LARGE if 1 <= now < 1.5 else {})), *map(member, range(1, 8))]

    assert not said(fleet, 6)


def test_one_figure_alone_has_to_be_far_from_usual() -> None:
    assert not said(lambda _now: [member(0, rss=290.0), *map(member, range(1, 8))], 8)
    assert said(lambda _now: [member(0, threads=60.0), *map(member, range(1, 8))], 8).keys() == {0}


def test_two_releases_at_once_are_compared_each_within_itself() -> None:
    """A canary that takes more memory as a whole is the comparison of releases' to say."""

    def fleet(_now: float) -> list[Member]:
        return [*map(member, range(10)), *(member(pk, release="2", **LARGE) for pk in range(10, 14))]

    assert not said(fleet, 6)


def test_a_young_worker_is_not_compared_with_old_ones() -> None:
    def fleet(now: float) -> list[Member]:
        grown = [member(pk, age_h=100 + now, **LARGE) for pk in range(6)]
        return [*grown, *(member(pk, age_h=0.5) for pk in range(10, 16))]

    assert not said(fleet, 6)


def test_workers_that_are_restarted_every_five_minutes_are_compared_with_nobody() -> None:
    def fleet(now: float) -> list[Member]:
        born = int(now * 12)
        return [member(born * 10, age_h=0.05, **LARGE), *(member(born * 10 + pk, age_h=0.05) for pk in range(1, 8))]

    assert not said(fleet, 6)


def test_scaling_from_2_to_200_workers_is_usual() -> None:
    def fleet(now: float) -> list[Member]:
        count = 2 if now < 2 else 200
        return [member(pk, age_h=now + 3 if pk < 2 else now - 2, jobs=500 / count) for pk in range(count)]

    assert not said(fleet, 6)


def test_figures_that_are_not_known_take_no_part() -> None:
    def fleet(_now: float) -> list[Member]:
        return [
            Member(0, "g", 6 * HOUR, {"rss": 900.0}),
            Member(1, "g", 6 * HOUR, {}),
            *(member(pk) for pk in range(2, 5)),
            *(Member(pk, "g", 6 * HOUR, {"heap": 100.0}) for pk in range(5, 9)),
        ]

    assert not said(fleet, 6)


def test_what_is_remembered_is_forgotten_after_a_week_without_data_and_when_the_clock_is_set_back() -> None:
    ratios = {"rss": 3.0, "heap": 3.0}
    memory = None
    for number in range(30):
        memory = look(memory, BEGIN + number * 600, ratios, SIBLINGS)
    assert memory is not None
    assert memory.told
    for later in (BEGIN + 7 * 24 * HOUR, BEGIN - 24 * HOUR):
        assert not look(memory, later, ratios, SIBLINGS).told


def test_a_look_at_the_same_time_again_changes_nothing() -> None:
    once = look(None, BEGIN, {"rss": 3.0}, SIBLINGS)
    assert look(once, BEGIN, {"rss": 4.0}, SIBLINGS) == once


def test_it_ends_when_the_figures_are_usual_again() -> None:
    told: list[bool] = []
    memories: Mapping[int, Memory] = {}
    for number in range(60):
        large = LARGE if number < 30 else {}
        fleet = [member(0, **large), *map(member, range(1, 8))]
        memories = siblings_pass(fleet, memories, BEGIN + number * 600).memories
        told.append(0 in memories and memories[0].told)
    assert told[29]
    assert not told[42]  # two hours later


def test_what_is_remembered_of_a_process_is_small() -> None:
    memory = None
    for number in range(1_000):
        memory = look(memory, BEGIN + number * 600, dict.fromkeys(USUAL, 2.5), SIBLINGS)
    assert memory is not None
    assert len(json.dumps(memory.to_json())) < 1_000


def test_the_usual_sibling_is_the_nearest_in_age_with_nothing_unusual() -> None:
    fleet = [member(0, age_h=6), member(1, age_h=6.1), member(2, age_h=7), member(3, release="2", age_h=6)]
    assert usual_sibling(fleet[0], fleet, unusual={1}) == 2
    assert usual_sibling(fleet[3], fleet, unusual={}) is None
    assert busier(member(9, jobs=1_500), fleet) == pytest.approx(3.0)


def test_counts_by_the_job_want_jobs() -> None:
    columns = {"rss_kib": 204_800.0, "heap_committed_kib": 4_096.0, "heap_used_kib": 3_072.0}
    rises = {"gc_collections_gen2": 5.0}
    assert values_of(columns, rises, 1_000.0) == {"rss": 200.0, "heap": 3.0, "free_heap": 1.0, "collections": 5.0}
    assert "collections" not in values_of(columns, rises, 3.0)
    assert "collections" not in values_of(columns, rises, None)
    assert values_of({}, {}, None) == {}


def test_a_sentence_names_the_most_unlike_figures() -> None:
    figures = {"rss": Unlike(3.1, 412.0, 240.0), "threads": Unlike(1.2, 12.0, 4.0)}
    assert sentence(figures, "its siblings") == (
        "Higher than its siblings: resident memory 412 MB instead of 240 MB (+72 %), threads 12 instead of 4 (+200 %)."
    )


def test_what_was_dismissed_is_known_until_it_becomes_half_as_much_again() -> None:
    lessons = [Lesson(1, "siblings", {"rss": 2.0, "heap": 1.5})]
    assert is_known(1, "siblings", {"rss": 2.9}, lessons)
    assert not is_known(1, "siblings", {"rss": 3.1}, lessons)
    assert not is_known(1, "siblings", {"rss": 1.2, "threads": 1.2}, lessons)
    assert not is_known(2, "siblings", {"rss": 1.2}, lessons)
    assert not is_known(1, "week", {"rss": 1.2}, lessons)
