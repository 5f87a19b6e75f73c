"""Growth that is no objects: untracked, native, fragmentation."""

from memwatch.detection import History, judge
from memwatch.records import BigContainer
from tests.detection.builders import snapshot


def leaks(snapshots, **options):
    history = History.from_snapshots(snapshots, extension_modules=("lxml", "numpy"))
    return [verdict for verdict in judge(history, **options) if verdict.is_leak]


def texts(length, *, entry_bytes=200.0, name="shop.leaks.FRAGMENTS", kind="list", holds="str"):
    return (BigContainer(type=kind, length=length, holds=holds, token=7, name=name, entry_bytes=entry_bytes),)


def quiet(i, **figures):
    base = {"total_objects": 60_000 + i % 5, "allocated_blocks": 90_000 + i % 9, "pymalloc_used_mb": 25.0,
            "heap_used_mb": 40.0}  # fmt: skip
    return snapshot(i, {"dict": 9000 + i % 5}, **(base | figures))


def test_an_idle_process_gives_no_verdict():
    assert leaks([quiet(i) for i in range(1000)]) == []


def test_untracked_objects_are_found_by_the_blocks_they_take():
    given = [
        quiet(i, allocated_blocks=90_000 + 400 * i, pymalloc_used_mb=25 + 0.04 * i, heap_used_mb=40 + 0.04 * i)
        for i in range(40)
    ]
    (found,) = leaks(given)
    assert (found.kind, found.object_type) == ("untracked", "untracked")


def test_a_watch_gives_memory_alone_ten_minutes_for_free_lists_and_arenas_to_fill():
    def memory(minutes, window):
        rows = [
            snapshot(
                i, every_s=10, allocated_blocks=560_000 + 900 * i, total_objects=130_000, pymalloc_used_mb=50 + i / 10
            )
            for i in range(minutes * 6)
        ]
        return [verdict.outcome for verdict in judge(History.from_snapshots(rows), window=window)]

    assert memory(5, "hour") == ["not enough data"]
    assert memory(5, "given") == ["leak"]
    assert memory(10, "hour") == ["leak"]


def test_the_churn_of_tracked_objects_is_no_untracked_growth():
    given = [
        quiet(i, total_objects=60_000 + 900 * (i % 7), allocated_blocks=90_000 + 1800 * (i % 7)) for i in range(40)
    ]
    assert leaks(given) == []


def test_the_container_that_holds_untracked_objects_is_named():
    (found,) = leaks([quiet(i, big_containers=texts(1000 + 100 * i)) for i in range(20)])
    evidence = found.to_leak().evidence
    assert found.object_type == "untracked"
    assert evidence["container"]["name"] == "shop.leaks.FRAGMENTS"
    assert evidence["container"]["description"] == "shop.leaks.FRAGMENTS, a list of 2,900 str"
    assert "shop.leaks.FRAGMENTS" in found.sentence


def test_a_standing_watch_needs_six_looks_at_a_container():
    given = [quiet(i, big_containers=texts(1000 + 100 * i) if i % 4 == 0 else None) for i in range(24)]
    assert leaks(given[:18], window="hour") == []
    assert [found.kind for found in leaks(given, window="hour")] == ["untracked"]


def test_a_log_buffer_that_is_full_is_no_leak():
    assert leaks([quiet(i, big_containers=texts(min(1000 + 100 * i, 2000), kind="deque")) for i in range(40)]) == []


def test_a_container_of_the_leaking_class_is_its_evidence_and_no_second_leak():
    given = [
        snapshot(
            i,
            {"shop.Quote": 1000 + 40 * i, "dict": 9000 + 40 * i},
            big_containers=texts(1000 + 40 * i, name="shop.QUOTES", kind="dict", holds="shop.Quote"),
        )
        for i in range(40)
    ]
    (found,) = leaks(given)
    assert found.object_type == "shop.Quote"
    assert found.container is not None
    assert found.container.name == "shop.QUOTES"


def test_native_memory_names_the_extension_modules_that_may_hold_it():
    given = [quiet(i, heap_used_mb=40 + 0.5 * i) for i in range(40)]
    (found,) = leaks(given)
    assert (found.kind, found.object_type) == ("native", "native")
    assert found.to_leak().evidence["extension_modules"] == ["lxml", "numpy"]
    assert "lxml, numpy" in found.sentence


def test_big_strings_take_malloc_and_are_no_native_leak():
    given = [
        quiet(i, heap_used_mb=40 + 0.5 * i, big_containers=texts(1000 + 50 * i, entry_bytes=9000.0) if i > 30 else None)
        for i in range(40)
    ]
    (found,) = leaks(given)
    assert found.kind == "untracked"
    assert found.container is not None


def test_memory_that_leaking_objects_hold_is_part_of_their_leak():
    given = [
        snapshot(i, {"app.Page": 100 + 20 * i}, heap_used_mb=40 + 0.2 * i, pymalloc_used_mb=25.0) for i in range(40)
    ]
    (found,) = leaks(given)
    assert found.object_type == "app.Page"
    assert found.statistics["native_growth"] > 0


def test_a_watch_does_not_call_memory_native_while_objects_may_still_explain_it():
    given = [
        snapshot(i, {"app.Page": 100 + 20 * i} if i % 2 else None, heap_used_mb=40 + 0.2 * i, pymalloc_used_mb=25.0)
        for i in range(25)
    ]
    assert leaks(given, window="hour") == []


def test_fragmentation_is_said_and_is_no_leak():
    given = [quiet(i, heap_committed_mb=60 + 1.0 * i, rss_mb=70 + 1.0 * i) for i in range(40)]
    verdicts = judge(History.from_snapshots(given))
    (found,) = (verdict for verdict in verdicts if verdict.kind == "fragmentation")
    assert found.outcome == "expected"
    assert found.statistics["free_percent"] > 50
    assert not any(verdict.is_leak for verdict in verdicts)


def test_free_lists_that_fill_are_below_what_a_watch_asks_for():
    rows = [
        snapshot(i, allocated_blocks=560_000 + 120 * i, total_objects=130_000, pymalloc_used_mb=50 + i / 100)
        for i in range(60)
    ]
    assert [verdict.outcome for verdict in judge(History.from_snapshots(rows), window="hour")] == ["quiet"]


def test_memory_alone_whose_rate_falls_may_be_a_cache_that_fills():
    given = [quiet(i, allocated_blocks=90_000 + round(900 * i**0.7), pymalloc_used_mb=25 + i / 10) for i in range(30)]
    (found,) = (v for v in judge(History.from_snapshots(given)) if v.statistics.get("unit") == "blocks")
    assert (found.outcome, found.rule) == ("not enough data", "slowing")


def test_a_leak_beside_a_cache_that_fills_is_one_when_the_cache_is_full():
    given = [
        quiet(i, allocated_blocks=90_000 + 350 * i + 120 * min(i, 16) + i % 3, pymalloc_used_mb=25 + i / 20)
        for i in range(30)
    ]
    assert [found.kind for found in leaks(given)] == ["untracked"]


def test_memory_that_follows_a_falling_load_leaks_with_every_request():
    done, given = 0.0, []
    for i in range(30):
        blocks = 90_000 + round(9 * done)
        given.append(quiet(i, requests_handled=round(done), allocated_blocks=blocks, pymalloc_used_mb=25 + done / 1000))
        done += 200 - 3.5 * i
    assert [found.kind for found in leaks(given)] == ["untracked"]


def test_what_fell_before_memory_began_to_rise_is_not_given_back():
    fell = [quiet(0, rss_mb=90.0, heap_committed_mb=50.0)]
    given = fell + [quiet(i, rss_mb=88.0 + 0.25 * i, heap_committed_mb=50.0) for i in range(1, 24)]
    assert [found.kind for found in leaks(given)] == ["native"]


def test_a_container_of_one_passing_request_is_not_where_memory_grows():
    given = [
        quiet(
            i,
            allocated_blocks=90_000 + 400 * i,
            pymalloc_used_mb=25 + 0.04 * i,
            big_containers=(BigContainer(type="list", length=9000, holds="type", token=i),) if i % 3 == 0 else None,
        )
        for i in range(31)
    ]
    (found,) = leaks(given)
    assert found.container is None


def test_a_container_of_a_few_hundred_is_a_witness_and_no_leak_of_its_own():
    assert leaks([quiet(i, big_containers=texts(300 + 20 * i)) for i in range(30)]) == []
    given = [
        quiet(i, heap_used_mb=40 + 0.3 * i, big_containers=texts(300 + 20 * i, entry_bytes=9e3)) for i in range(30)
    ]
    (found,) = leaks(given)
    assert found.kind == "untracked"
    assert found.container is not None
    assert found.container.name == "shop.leaks.FRAGMENTS"


def test_objects_that_the_collector_stops_to_track_take_no_memory_with_them():
    def given(leak):
        return [
            quiet(
                i,
                total_objects=60_000 + 2 * i - 3000 * (i >= 9),
                allocated_blocks=90_000 + leak * i,
                pymalloc_used_mb=25 + leak * i / 4000,
            )
            for i in range(20)
        ]

    assert [found.kind for found in leaks(given(130))] == ["untracked"]
    assert leaks(given(50)) == []
    assert all(verdict.outcome == "quiet" for verdict in judge(History.from_snapshots(given(50))))


def test_pools_that_a_library_takes_in_stairs_are_a_leak_where_resident_memory_rises_between_them():
    def rows(touched_mb):
        given = []
        for i in range(30):
            stairs = 1.0 * (i >= 4) + 2.0 * (i >= 12)
            given.append(
                snapshot(
                    i, {"dict": 9000 + i % 5}, malloc_used_mb=6 + stairs + i / 500, pymalloc_used_mb=10.0,
                    heap_used_mb=16 + stairs + i / 500, rss_mb=40 + touched_mb(i) + stairs / 6,
                )
            )  # fmt: skip
        return given

    (found,) = leaks(rows(lambda i: 0.08 * i))
    assert found.kind == "native"
    assert found.growth_count > 3000
    assert leaks(rows(lambda i: 2.5 * (i >= 12))) == []  # a table that is resized is written to at once
    assert leaks(rows(lambda i: 0.9 * i)) == []  # what is resident grows by something else


def test_the_rate_between_stairs_is_taken_for_the_steps_that_are_left_out():
    def rows(touched_mb):
        return [
            snapshot(
                i, {"dict": 9000 + i % 5}, malloc_used_mb=6 + 0.6 * (i >= 3) + 1.2 * (i >= 8), pymalloc_used_mb=10.0,
                heap_used_mb=16 + 0.6 * (i >= 3) + 1.2 * (i >= 8),
                rss_mb=40 + touched_mb * i + 0.3 * (i >= 3) + 0.6 * (i >= 8),
            )
            for i in range(20)
        ]  # fmt: skip

    (found,) = leaks(rows(0.05))  # less than the megabyte that counts
    assert found.kind == "native"
    assert leaks(rows(0.04)) == []  # less than half of what malloc has in use more


def test_native_stairs_that_a_bounded_cache_fills_are_no_leak():
    given = [
        snapshot(
            i, {"dict": 9000 + i % 5}, malloc_used_mb=6 + 3.0 * (i >= 6), pymalloc_used_mb=10.0,
            heap_used_mb=16 + 3.0 * (i >= 6), rss_mb=40 + min(i, 14) * 0.16,
        )
        for i in range(30)
    ]  # fmt: skip
    assert leaks(given) == []
