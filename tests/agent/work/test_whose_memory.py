"""A job is blamed for no memory of another one: what cannot be told apart is unknown."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
import time
from contextvars import copy_context

import pytest

from memwatch.agent.work import meter
from memwatch.agent.work.job import Job
from memwatch.agent.work.meter import Meter
from memwatch.records.work import COMMAND, TASK, VIEW
from tests.agent.work.test_meter import begin, taken, touch

pytestmark = pytest.mark.usefixtures("own_meter")


def no_credit(own_meter: Meter) -> None:
    """As after many short jobs: what begins now is not measured."""
    own_meter._light._left = own_meter._heavy._left = 0.0


def full_credit(own_meter: Meter) -> None:
    own_meter._light._left = own_meter._heavy._left = 0.002


class TestNested:
    def test_an_inner_job_is_measured_where_the_outer_one_is(self, own_meter: Meter) -> None:
        outer = begin(COMMAND, "import_all")
        no_credit(own_meter)
        inner = begin(TASK, "inner")
        kept = [object() for _ in range(10_000)]
        inner.end()
        outer.end()
        rows = taken()
        assert rows["inner"].blocks == pytest.approx(10_000, rel=0.05)
        assert rows["import_all"].blocks_calls == 1
        assert abs(rows["import_all"].blocks) < 300
        del kept

    def test_memory_of_inner_jobs_that_overlap_is_not_the_outer_ones(self) -> None:
        outer = begin(VIEW, "outer")
        first = copy_context().run(begin, TASK, "first")
        second = copy_context().run(begin, TASK, "second")
        kept = [object() for _ in range(10_000)]
        first.end()
        second.end()
        outer.end()
        assert taken()["outer"].blocks_calls == 0
        del kept

    def test_an_inner_job_that_outlives_the_outer_one_makes_both_shared(self) -> None:
        outer = begin(VIEW, "outer")
        inner = copy_context().run(begin, TASK, "inner")
        kept = [object() for _ in range(10_000)]
        outer.end()
        inner.end()
        rows = taken()
        assert (rows["outer"].shared, rows["inner"].shared) == (1, 1)
        assert rows["outer"].blocks_calls == rows["inner"].blocks_calls == 0
        del kept

    def test_the_peak_before_an_inner_job_is_the_outer_ones(self, own_meter: Meter) -> None:
        for measured in (True, False):
            full_credit(own_meter)
            outer = begin(COMMAND, "outer")
            if not measured:
                no_credit(own_meter)
            middle = begin(VIEW, "middle")
            touch(60)
            full_credit(own_meter)
            begin(TASK, "inner").end()
            middle.end()
            outer.end()
            assert taken()["outer"].peak_kib_max > 50 * 1024

    def test_a_long_job_does_not_lose_the_peak_before_an_inner_one(self, own_meter: Meter) -> None:
        begin(TASK, "measured").end()
        no_credit(own_meter)
        outer = begin(TASK, "long")
        touch(60)
        full_credit(own_meter)
        begin(TASK, "inner").end()
        time.sleep(0.05)
        outer.end()
        row = taken()["long"]
        assert row.peak_calls == 0 or row.peak_kib_max > 50 * 1024


class TestWithoutResets:
    def test_an_outer_job_has_no_peak_where_none_can_be_reset(self, own_meter: Meter) -> None:
        own_meter.memory.resets = False
        touch(100)
        outer = begin(VIEW, "outer")
        begin(TASK, "inner").end()
        outer.end()
        assert taken()["outer"].peak_calls == 0

    def test_a_long_job_has_no_peak_where_none_can_be_reset(self, own_meter: Meter) -> None:
        own_meter.memory.resets = False
        touch(100)
        begin(TASK, "measured").end()
        no_credit(own_meter)
        job = begin(TASK, "long")
        time.sleep(0.05)
        job.end()
        assert taken()["long"].peak_calls == 0


class TestCommands:
    def test_a_command_called_beside_a_request_is_shared_with_it(self) -> None:
        request = copy_context().run(begin, VIEW, "index")
        command = copy_context().run(begin, COMMAND, "rebuild")
        kept = [object() for _ in range(10_000)]
        request.end()
        command.end()
        rows = taken()
        assert (rows["index"].shared, rows["rebuild"].shared) == (1, 1)
        del kept

    def test_commands_in_two_threads_of_a_scheduler_are_shared(self) -> None:
        scheduler = begin(COMMAND, "runapscheduler")
        first = copy_context().run(lambda: threading_begin("first"))
        second = copy_context().run(lambda: threading_begin("second"))
        first.end()
        second.end()
        scheduler.end()
        rows = taken()
        assert (rows["first"].shared, rows["second"].shared) == (1, 1)


def threading_begin(name: str) -> Job:
    """A command that begins in a thread, whose context is empty."""
    found: list[Job] = []
    thread = threading.Thread(target=lambda: found.append(begin(COMMAND, name)))
    thread.start()
    thread.join()
    return found[0]


def test_a_clock_of_the_hosts_that_stands_still_does_not_make_jobs_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """As freezegun does it: whatever module has the function by name gets another one."""
    job = begin()
    for module in [each for name, each in sys.modules.items() if name.startswith("memwatch.")]:
        for name, value in list(vars(module).items()):
            if value is time.perf_counter:
                monkeypatch.setattr(module, name, lambda: 1.7e9)
    job.end()
    assert taken()["shop.sync"].seconds_max < 60


def test_jobs_that_begin_in_many_threads_at_once_are_all_shared() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(200):
            ready, over = threading.Barrier(4), threading.Barrier(4)

            def run(ready: threading.Barrier = ready, over: threading.Barrier = over) -> None:
                ready.wait()
                job = begin(TASK, "racing")
                over.wait()
                job.end()

            threads = [threading.Thread(target=run) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(interval)
    row = taken()["racing"]
    assert (row.calls, row.shared) == (800, 800)


def ru_maxrss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_the_host_sees_the_highest_memory_of_a_task_after_its_end() -> None:
    """Celery's ``max_memory_per_child`` looks at it then."""
    code = """
import time
from tests.agent.work.test_whose_memory import begin, touch, ru_maxrss_mb, no_credit
from memwatch.agent.work import meter
from memwatch.agent.work.job import Job
from memwatch.records.work import TASK
meter.begin_process()
own = meter.meter()
begin(TASK, "first").end()
for nested, late in ((False, False), (False, True), (True, False)):
    before = ru_maxrss_mb()
    if late:
        no_credit(own)
    job = begin(TASK, "long")
    touch(150)
    if nested:
        begin(TASK, "inner").end()
    time.sleep(.05)
    job.end()
    print(int(ru_maxrss_mb() - own.memory.rss_kib() / 1024 > 100), end="")
    own._light._left = .002
    begin(TASK, "next").end()
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "111"


def test_a_job_that_has_ended_holds_nothing_of_what_it_read(own_meter: Meter) -> None:
    meter.look_for("builtins.dict")
    job = begin()
    assert job.readings is not None
    assert job.readings.young is not None
    job.end()
    assert job.readings is None
    meter.made()
