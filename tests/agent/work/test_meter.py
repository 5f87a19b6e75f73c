"""Jobs are counted once, under their name, and measured where nothing else ran beside them."""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
import time
from contextvars import copy_context

import pytest

from memwatch.agent.work import meter
from memwatch.agent.work.credit import FIXED_S, MEASURED, SHARE
from memwatch.agent.work.job import Job, current
from memwatch.agent.work.meter import Meter
from memwatch.agent.work.totals import BATCH
from memwatch.records.work import COMMAND, MAX_NAMES, OTHER, TASK, UNNAMED, VIEW, WorkFigures

MB = 1024 * 1024


def begin(kind: str = TASK, name: str = "shop.sync") -> Job:
    job = meter.begin(kind, name, mark=name)
    assert job is not None
    return job


def taken() -> dict[str, WorkFigures]:
    return {row.name: row for row in meter.take() or ()}


def touch(megabytes: int) -> bytearray:
    """Memory that is really resident."""
    block = bytearray(megabytes * MB)
    block[::4096] = b"x" * len(block[::4096])
    return block


@pytest.mark.usefixtures("own_meter")
class TestCounting:
    def test_counts_calls_errors_and_time_by_name(self) -> None:
        for failed in (False, True, False):
            job = begin()
            job.error = failed
            job.end()
        begin(VIEW, "shop:index").end()
        rows = taken()
        assert (rows["shop.sync"].calls, rows["shop.sync"].errors, rows["shop:index"].kind) == (3, 1, VIEW)
        assert rows["shop.sync"].seconds_max <= rows["shop.sync"].seconds
        assert sum(rows["shop.sync"].seconds_counts.values()) == 3

    def test_gives_each_job_to_one_snapshot(self) -> None:
        begin().end()
        assert taken()["shop.sync"].calls == 1
        assert meter.take() is None

    def test_counts_a_job_once_however_often_it_ends(self) -> None:
        job = begin()
        job.end()
        job.end()
        assert taken()["shop.sync"].calls == 1

    def test_knows_a_job_that_has_not_ended_as_running(self) -> None:
        job = begin()
        assert meter.take() is None
        assert current(TASK, "shop.sync") is job
        job.end()
        assert current(TASK, "shop.sync") is None

    def test_counts_a_job_whose_context_is_lost_as_shared(self) -> None:
        def lost() -> None:
            begin()

        copy_context().run(lost)
        gc.collect()
        row = taken()["shop.sync"]
        assert (row.calls, row.shared, row.blocks_calls, row.peak_calls) == (1, 1, 0, 0)

    def test_sums_up_names_beyond_the_limit_as_other(self) -> None:
        for number in range(MAX_NAMES + 50):
            begin(TASK, f"task-{number}").end()
        rows = taken()
        assert len(rows) == MAX_NAMES + 1
        assert rows[OTHER].calls == 50

    @pytest.mark.parametrize("name", ["x" * 10_000, "line\nbreak\x00", "\ud800lone"])
    def test_reports_names_that_can_be_stored(self, name: str) -> None:
        begin(TASK, name).end()
        (reported,) = taken()
        assert len(reported) <= 300
        assert reported.isprintable()
        reported.encode()

    def test_asks_nothing_of_a_name_that_is_no_plain_text(self) -> None:
        class Hostile(str):
            __slots__ = ()

            def __getitem__(self, key: object) -> str:
                raise AssertionError("code of the host was run")

            def __str__(self) -> str:
                raise AssertionError("code of the host was run")

        begin(TASK, Hostile("shop.odd")).end()
        meter.begin(TASK, object())
        current(TASK, None).end()  # type: ignore[union-attr]
        assert set(taken()) == {"shop.odd", UNNAMED}

    def test_loses_no_job_of_many_threads(self) -> None:
        def work() -> None:
            for _ in range(500):
                begin().end()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert taken()["shop.sync"].calls == 4_000

    def test_does_not_wait_for_a_thread_that_adds_up(self, own_meter: Meter) -> None:
        assert own_meter.totals._guard.acquire(blocking=False)
        begin().end()
        own_meter.totals._guard.release()
        begin().end()
        assert taken()["shop.sync"].calls == 2

    def test_few_ended_jobs_wait_to_be_added_up(self, own_meter: Meter) -> None:
        for number in range(10 * BATCH):
            begin(TASK, f"task-{number}").end()
            assert len(own_meter.totals.ended) < BATCH
        assert len(taken()) == 10 * BATCH

    def test_a_forked_child_counts_its_own_jobs_only(self) -> None:
        job = begin()
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            meter.begin_process()
            job.end()
            begin(TASK, "child").end()
            os.write(write, ",".join(taken()).encode())
            os._exit(0)
        os.waitpid(pid, 0)
        assert os.read(read, 100) == b"child"
        os.close(read)
        os.close(write)
        job.end()
        assert set(taken()) == {"shop.sync"}


@pytest.mark.usefixtures("own_meter")
class TestMemory:
    def test_counts_blocks_that_a_job_keeps(self) -> None:
        kept = []
        for _ in range(20):
            job = begin()
            kept.append([object() for _ in range(1_000)])
            job.end()
        row = taken()["shop.sync"]
        assert row.blocks_calls > 0
        assert row.blocks / row.blocks_calls == pytest.approx(1_000, rel=0.05)

    def test_counts_blocks_that_a_job_frees_below_zero(self) -> None:
        kept = [object() for _ in range(5_000)]
        job = begin()
        kept.clear()
        job.end()
        assert taken()["shop.sync"].blocks < -4_900

    def test_sees_the_peak_of_memory_that_was_given_back(self) -> None:
        job = begin()
        touch(100)
        job.end()
        row = taken()["shop.sync"]
        assert row.peak_kib_max == pytest.approx(100 * 1024, rel=0.05)
        assert abs(row.rss_kib) < 20 * 1024

    def test_sees_the_peak_of_a_long_job_among_many_short_ones(self) -> None:
        for _ in range(3):
            for _ in range(2_000):
                begin(TASK, "short").end()
            job = begin(TASK, "long")
            touch(100)
            time.sleep(0.05)
            job.end()
        rows = taken()
        assert rows["long"].peak_calls >= 1
        assert rows["long"].peak_kib_max == pytest.approx(100 * 1024, rel=0.05)
        assert rows["short"].peak_kib_max < 20 * 1024

    def test_a_long_job_does_not_get_the_peak_of_jobs_that_overlapped_before_it(self, own_meter: Meter) -> None:
        begin(TASK, "short").end()
        first = copy_context().run(begin, TASK, "first")
        second = copy_context().run(begin, TASK, "second")
        touch(100)
        first.end()
        second.end()
        own_meter._light._left = 0.0  # as after many short jobs: this one is not measured when it begins
        job = begin(TASK, "long")
        time.sleep(0.05)
        job.end()
        assert taken()["long"].peak_kib_max < 20 * 1024

    def test_a_later_job_does_not_get_the_peak_of_an_earlier_one(self) -> None:
        for name, megabytes in (("large", 80), ("small", 1)):
            job = begin(TASK, name)
            touch(megabytes)
            job.end()
        rows = taken()
        assert rows["large"].peak_kib_max > 70 * 1024
        assert rows["small"].peak_kib_max < 20 * 1024

    def test_an_inner_job_keeps_its_own_and_its_peak_is_also_the_outer_ones(self) -> None:
        kept = []
        outer = begin(VIEW, "outer")
        inner = begin(TASK, "inner")
        kept.append([object() for _ in range(10_000)])
        touch(60)
        inner.end()
        kept.append([object() for _ in range(2_000)])
        outer.end()
        rows = taken()
        assert rows["inner"].shared == rows["outer"].shared == 0
        assert rows["inner"].blocks == pytest.approx(10_000, rel=0.05)
        assert rows["outer"].blocks == pytest.approx(2_000, rel=0.1)
        assert rows["outer"].peak_kib_max > 50 * 1024

    def test_marks_jobs_that_overlap_as_shared(self) -> None:
        first = copy_context().run(begin, TASK, "first")
        second = copy_context().run(begin, TASK, "second")
        first.end()
        second.end()
        begin(TASK, "third").end()
        rows = taken()
        assert [rows[name].shared for name in ("first", "second", "third")] == [1, 1, 0]
        assert rows["first"].blocks_calls == rows["second"].blocks_calls == 0

    def test_a_command_that_runs_a_server_does_not_make_its_requests_shared(self) -> None:
        command = begin(COMMAND, "runserver")
        request = threading.Thread(target=lambda: begin(VIEW, "index").end())
        request.start()
        request.join()
        command.end()
        rows = taken()
        assert rows["index"].shared == 0
        assert rows["runserver"].shared == 1

    def test_without_a_way_to_reset_the_peak_it_is_unknown(self, own_meter: Meter) -> None:
        own_meter.memory.resets = False
        begin().end()
        row = taken()["shop.sync"]
        assert (row.peak_calls, row.rss_calls) == (0, 1)

    def test_does_not_read_memory_for_each_of_many_short_jobs(self) -> None:
        for _ in range(2_000):
            begin().end()
        row = taken()["shop.sync"]
        assert row.calls == 2_000
        assert row.blocks_calls < 600
        assert row.rss_calls < 600

    def test_reads_memory_for_a_part_of_long_jobs(self, own_meter: Meter) -> None:
        own_meter._chance = random.Random(1)
        for _ in range(400):
            own_meter._light._left = own_meter._heavy._left = 0.002  # as after long jobs
            begin().end()
        row = taken()["shop.sync"]
        assert row.rss_calls / 400 == pytest.approx(MEASURED, abs=0.07)
        assert row.blocks_calls == row.rss_calls

    def test_reads_memory_for_jobs_that_take_turns_alike(self, own_meter: Meter) -> None:
        own_meter._chance = random.Random(2)
        for number in range(1_200):
            own_meter._light._left = own_meter._heavy._left = 0.002
            begin(TASK, f"turn-{number % 3}").end()
        assert [row.rss_calls / 400 for row in taken().values()] == pytest.approx([MEASURED] * 3, abs=0.09)

    def test_finds_out_soon_that_jobs_are_long_now(self, own_meter: Meter) -> None:
        own_meter._chance = random.Random(3)
        for name, left in (("short", 0.0), ("long", 0.002)):
            for _ in range(400):
                own_meter._light._left = own_meter._heavy._left = left
                begin(TASK, name).end()
        rows = taken()
        assert rows["short"].rss_calls <= 1
        assert rows["long"].rss_calls > 60

    def test_changes_no_reference_count_of_what_runs(self) -> None:
        thing = object()
        before = sys.getrefcount(thing)
        meter.begin(TASK, "x", mark=thing)
        found = current(TASK, thing)
        assert found is not None
        found.end()
        del found
        assert sys.getrefcount(thing) == before


def test_nothing_is_measured_where_it_is_switched_off(own_meter: Meter) -> None:
    meter.end_process()
    assert meter.begin(TASK, "x") is None
    assert meter.take() is None
    assert own_meter.totals.take() is None


class Quote:
    """A type to look for."""


@pytest.mark.usefixtures("own_meter")
class TestMadeIn:
    def test_tells_which_job_made_the_objects_of_a_type(self) -> None:
        kept: list[object] = []
        meter.look_for(f"{__name__}.Quote")
        for _ in range(3):
            job = begin(VIEW, "order")
            kept += [Quote(), Quote()]
            job.end()
            job = begin(TASK, "mail")
            kept.append([])
            job.end()
        kept.append(Quote())
        ((kind, name, count, calls),) = meter.made()
        assert (kind, name) == (VIEW, "order")
        assert count == 2 * calls > 0
        assert meter.made() == []

    def test_asks_no_class_for_its_hash(self) -> None:
        class Meta(type):
            def __hash__(cls) -> int:
                raise AssertionError("code of the host was run")

        class Odd(metaclass=Meta):
            pass

        meter.look_for(f"{__name__}.Quote")
        job = begin(VIEW, "order")
        kept = [Odd(), Quote()]
        job.end()
        ((_kind, _name, count, _calls),) = meter.made()
        assert count == 1
        del kept

    def test_looks_into_few_of_many_short_jobs(self) -> None:
        meter.look_for(f"{__name__}.Quote")
        kept = []
        for _ in range(2_000):
            job = begin(VIEW, "order")
            kept.append(Quote())
            job.end()
        ((_kind, _name, count, calls),) = meter.made()
        assert count == calls < 500

    def test_does_not_blame_jobs_that_overlap(self) -> None:
        meter.look_for(f"{__name__}.Quote")
        first = copy_context().run(begin, TASK, "first")
        second = copy_context().run(begin, TASK, "second")
        kept = Quote()
        first.end()
        second.end()
        assert meter.made() == []
        del kept


def test_adding_up_comes_out_of_the_time_for_readings(own_meter: Meter) -> None:
    own_meter.skipped = BATCH  # none of them is measured
    for _ in range(BATCH):
        begin().end()
    spent, own_meter._light._left, own_meter.worked = own_meter.totals.spent, 0.0, 0.1
    assert spent > 1e-6
    job = begin()
    assert own_meter._light._left == pytest.approx((0.1 * SHARE - (BATCH + 1) * FIXED_S - spent) / 2)
    job.end()
