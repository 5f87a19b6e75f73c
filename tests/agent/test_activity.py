"""What the process has done."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from memwatch.agent import activity


@pytest.fixture(autouse=True)
def _afresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(activity, "_requests", None)
    monkeypatch.setattr(activity, "_tasks", None)
    return


def test_a_process_that_serves_nothing_counts_nothing() -> None:
    assert activity.requests_handled() is None
    assert activity.tasks_handled() is None


def test_a_web_process_has_handled_no_request_rather_than_an_unknown_number() -> None:
    activity.expect_requests()
    assert activity.requests_handled() == 0
    assert activity.tasks_handled() is None


def test_work_of_many_threads_is_counted_exactly() -> None:
    def work() -> None:
        for _ in range(2000):
            activity.count_request()
            activity.count_task()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    activity.expect_requests()
    assert activity.requests_handled() == 8000
    assert activity.tasks_handled() == 8000


def test_a_forked_child_begins_at_nought() -> None:
    activity.count_request()
    activity.reset()
    assert activity.requests_handled() == 0
    assert activity.tasks_handled() is None
