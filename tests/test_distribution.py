"""``make test``'s workers: what waits runs beside what computes, and nothing runs twice or not at all."""

from __future__ import annotations

from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from tests.distribution import LONG, SHARING, WAITING, Distribution, file_of, place

ROOT = Path(__file__).parents[1]


class Worker:
    """What the scheduler knows of one: the tests that it was sent, and whether it will get no more."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.shutting_down = False
        self.sent: list[int] = []

    def send_runtest_some(self, tests: list[int]) -> None:
        self.sent += tests

    def shutdown(self) -> None:
        self.shutting_down = True


def started(pytestconfig: pytest.Config, collection: list[str], workers: int) -> tuple[Distribution, list[Worker]]:
    """A distribution over so many workers, each of which has collected all tests."""
    config: Any = SimpleNamespace(
        getvalue=lambda name: [f"{workers}*popen"] if name == "tx" else None, trace=pytestconfig.trace,
        option=SimpleNamespace(loadscopereorder=False),
    )  # fmt: skip
    found, nodes = Distribution(config), [Worker(f"gw{number}") for number in range(workers)]
    for node in nodes:
        found.add_node(node)
    for node in nodes:
        found.add_node_collection(node, collection)
    found.schedule()
    return found, nodes


def suite() -> list[str]:
    """Three tests of every file that is named, and of many others, as they are collected in a worker."""
    others = [f"tests/some/test_{number}.py" for number in range(60)]
    found = [f"{file}::test_{number}" for file in sorted((*WAITING, *LONG, *others)) for number in range(3)]
    return sorted(found, key=place)


@pytest.mark.parametrize("seed", range(5))
def test_half_of_the_workers_wait_and_every_test_runs_once(seed: int, pytestconfig: pytest.Config) -> None:
    collection, chance = suite(), Random(seed)
    distribution, workers = started(pytestconfig, collection, 4)
    ran: list[str] = []
    while any(worker.sent for worker in workers):
        kinds = [file_of(collection[worker.sent[0]]) in WAITING for worker in workers if worker.sent]
        if any(file_of(scope) not in WAITING for scope in distribution.workqueue):
            assert sum(kinds) <= 2
        worker = chance.choice([worker for worker in workers if worker.sent])
        test = worker.sent.pop(0)
        ran.append(collection[test])
        distribution.mark_test_complete(worker, test)
    assert sorted(ran) == sorted(collection)


def test_tests_that_share_a_server_share_a_worker(pytestconfig: pytest.Config) -> None:
    collection = suite()
    distribution, workers = started(pytestconfig, collection, 4)
    where: dict[str, set[str]] = {}
    while any(worker.sent for worker in workers):
        for worker in (each for each in workers if each.sent):
            test = worker.sent.pop(0)
            where.setdefault(file_of(collection[test]), set()).add(worker.gateway.id)
            distribution.mark_test_complete(worker, test)
    assert {file for file, found in where.items() if len(found) > 1} <= set(WAITING) - set(SHARING)
    assert len(where[WAITING[0]]) > 1


def test_what_takes_long_comes_first() -> None:
    assert [file_of(test) for test in suite()[::3]][: len(WAITING) + len(LONG)] == [*WAITING, *LONG]


def test_the_files_that_are_named_exist() -> None:
    assert [file for file in (*WAITING, *LONG, *SHARING) if not (ROOT / file).is_file()] == []
    assert set(SHARING) <= set(WAITING)
