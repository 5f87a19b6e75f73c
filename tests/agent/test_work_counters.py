"""What the process has done."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from memwatch.agent import work_counters


@pytest.fixture(autouse=True)
def _afresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(work_counters, "_requests", None)
    monkeypatch.setattr(work_counters, "_tasks", None)
    return


def test_a_process_that_serves_nothing_counts_nothing() -> None:
    assert work_counters.requests_handled() is None
    assert work_counters.tasks_handled() is None


def test_a_web_process_has_handled_no_request_rather_than_an_unknown_number() -> None:
    work_counters.expect_requests()
    assert work_counters.requests_handled() == 0
    assert work_counters.tasks_handled() is None


def test_work_of_many_threads_is_counted_exactly() -> None:
    def work() -> None:
        for _ in range(2000):
            work_counters.count_request()
            work_counters.count_task()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work_counters.expect_requests()
    assert work_counters.requests_handled() == 8000
    assert work_counters.tasks_handled() == 8000


def test_a_forked_child_begins_at_nought() -> None:
    work_counters.count_request()
    work_counters.reset()
    assert work_counters.requests_handled() == 0
    assert work_counters.tasks_handled() is None
