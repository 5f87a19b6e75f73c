"""The plug-in in a run of pytest of its own."""

from __future__ import annotations

import json
import sys
import threading
from textwrap import dedent
from xml.etree import ElementTree

import pytest

from memwatch.pytest_plugin import counting

pytest_plugins = ["pytester"]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="holders are looked for in copies of the process")

SHOP = """
    import functools, itertools, pytest

    TRAIL, NUMBERS = [], itertools.count()

    class Entry:
        def __init__(self, number):
            self.number = number

    def keep():
        TRAIL.append(Entry(1))
"""


def run(pytester: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(test_shop=dedent(SHOP) + dedent(source))
    return pytester.runpytest_subprocess("-p", "memwatch.pytest_plugin", "-p", "no:cacheprovider", *options)


@on_linux
def test_a_leak_fails_its_test_with_type_rate_holder_and_line(pytester: pytest.Pytester) -> None:
    result = run(pytester, "@pytest.mark.no_leaks\ndef test_kept():\n    keep()\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "test_kept leaks test_shop.Entry: 1 object per call *",
            "  held by: test_shop.TRAIL (list, * entries)",
            "  kept at: test_shop.py:10 (test_shop.TRAIL)",
            "  made at: test_shop.py:10",
            "      TRAIL.append(Entry(1))",
            "  to do: remove entries from test_shop.TRAIL *",
        ]
    )


class Held:
    """By a thread."""


def test_threads_that_end_by_themselves_have_time_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    sleep = counting._Functions.sleep
    monkeypatch.setattr(counting._Functions, "sleep", lambda seconds: (slept.append(seconds), sleep(seconds)))
    counter, last = counting.Counter(), threading.Event()

    def held() -> list[int]:
        return [count for name, count in counter.count().objects.items() if name.endswith(".Held")]

    threading.Thread(target=lambda _held: last.wait(0.05), args=(Held(),)).start()
    assert held() == []
    lasting = threading.Thread(target=lambda _held: last.wait(60.0), args=(Held(),))
    lasting.start()
    try:
        assert [held() for _ in range(12)] == [[1]] * 12
    finally:
        last.set()
        lasting.join()
    assert counting.WAIT_EACH_S / 2 < sum(slept) <= counting.MOST_WAIT_S


def test_what_keeps_nothing_passes_and_is_called_again_and_again(pytester: pytest.Pytester) -> None:
    source = """
    @pytest.mark.no_leaks
    def test_fine():
        next(NUMBERS)
        [Entry(number) for number in range(3)]

    def test_calls():
        assert next(NUMBERS) == 8 + 120
    """
    run(pytester, source).assert_outcomes(passed=2)


@on_linux
def test_a_cache_on_its_way_to_its_bound_passes_and_is_explained(pytester: pytest.Pytester) -> None:
    source = """
    @functools.lru_cache(maxsize=100_000)
    def cached(number):
        return Entry(number)

    @pytest.mark.no_leaks
    def test_cached():
        cached(next(NUMBERS))
    """
    result = run(pytester, source)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_shop.Entry grows, but is no leak: A cache of 100,000 entries*"])


@on_linux
def test_a_cache_by_keys_of_the_program_that_fills_passes(pytester: pytest.Pytester) -> None:
    source = """
    @functools.lru_cache(maxsize=100_000)
    def priced(entry):
        return 1

    @pytest.mark.no_leaks
    def test_keys():
        priced(Entry(next(NUMBERS)))
    """
    result = run(pytester, source)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*A cache of 100,000 entries*"])


def test_a_few_weak_references_to_what_is_gone_pass(pytester: pytest.Pytester) -> None:
    source = """
    import weakref

    @pytest.mark.no_leaks(calls=120)
    def test_some():
        TRAIL.append(weakref.ref(Entry(1)))

    @pytest.mark.no_leaks(calls=600)
    def test_many():
        TRAIL.append(weakref.ref(Entry(1)))
    """
    result = run(pytester, source)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["test_some: weakref.ReferenceType grows, but is no leak: * weak references to what *"])


def test_cycles_and_rare_allocations_pass(pytester: pytest.Pytester) -> None:
    source = """
    @pytest.mark.no_leaks
    def test_cycle():
        entry = Entry(1)
        entry.me = entry

    RING = {}

    @pytest.fixture(scope="module")
    def ring():
        for number in range(9_000):
            replaced(number)

    def replaced(number):
        entry = RING[number % 9_000] = Entry(number)
        entry.me = entry

    @pytest.mark.no_leaks
    def test_cycles_that_replace_older_ones(ring):
        replaced(next(NUMBERS))

    @pytest.mark.no_leaks
    def test_one_in_many():
        number = next(NUMBERS)
        if number % 61 == 0:
            TRAIL.append(Entry(number))
    """
    run(pytester, source).assert_outcomes(passed=3)


def test_texts_on_an_attribute_are_found(pytester: pytest.Pytester) -> None:
    source = """
    class Store:
        def __init__(self):
            self.texts = {}

    STORE = Store()

    def test_texts(memory):
        with pytest.raises(AssertionError, match="does not track"):
            memory.assert_no_leak(lambda: STORE.texts.setdefault(number := next(NUMBERS), f"order {number}"))
    """
    run(pytester, source).assert_outcomes(passed=1)


def test_the_line_of_a_slow_leak_is_found_beside_much_that_comes_and_goes(pytester: pytest.Pytester) -> None:
    tests = """
    import random

    TEXTS, UNDER_WAY, NUMBERS = [], [], random.Random(7)

    def test_texts(memory):
        def call():
            wanted = NUMBERS.randrange(400)
            del UNDER_WAY[wanted:]
            UNDER_WAY.extend(str(each) * 9 for each in range(len(UNDER_WAY), wanted))
            TEXTS.append("text" * NUMBERS.randrange(10, 20))
        memory.assert_no_leak(call, calls=4_000)
    """
    result = run(pytester, tests)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*held by: test_shop.TEXTS (list, *"])
    assert "TEXTS.append" in result.stdout.str().partition("made at")[2].partition("to do")[0]


def test_the_fixture_tells_what_a_call_keeps_and_needs(pytester: pytest.Pytester) -> None:
    source = """
    def test_kept(memory):
        kept = memory.kept_by(keep)
        assert kept.objects == {"test_shop.Entry": 1.0}
        assert kept.blocks >= 1
        assert kept.bytes >= 40

    def test_peak(memory):
        assert 4.7 < memory.assert_peak(lambda: bytes(5_000_000), max_mb=6) < 5
        with pytest.raises(AssertionError, match="needs 4.8 MB at its peak, 2 MB are allowed"):
            memory.assert_peak(lambda: bytes(5_000_000), max_mb=2)

    def test_wrong(memory):
        with pytest.raises(ValueError, match="at least 8"):
            memory.assert_no_leak(keep, calls=2)
    """
    run(pytester, source).assert_outcomes(passed=3)


def test_coroutine_functions_run_in_a_loop_of_their_own(pytester: pytest.Pytester) -> None:
    source = """
    import asyncio

    async def fine():
        await asyncio.sleep(0)

    async def kept():
        keep()

    def test_fine(memory):
        memory.assert_no_leak(fine)

    def test_kept(memory):
        with pytest.raises(AssertionError, match="test_shop.Entry: 1 object per call"):
            memory.assert_no_leak(kept)

    def test_within_a_loop(memory):
        async def inner():
            memory.assert_no_leak(fine)
        with pytest.raises(RuntimeError, match="mark the asynchronous test"):
            asyncio.run(inner())
    """
    run(pytester, source).assert_outcomes(passed=3)


def test_asynchronous_tests_of_anyio_are_measured_in_their_loop(pytester: pytest.Pytester) -> None:
    source = """
    import anyio

    @pytest.fixture
    def anyio_backend():
        return "asyncio"

    @pytest.mark.anyio
    @pytest.mark.no_leaks
    async def test_kept():
        await anyio.sleep(0)
        keep()

    @pytest.mark.anyio
    @pytest.mark.no_leaks
    async def test_fine():
        await anyio.sleep(0)
        next(NUMBERS)

    def test_calls():
        assert next(NUMBERS) > 100
    """
    run(pytester, source, "-p", "anyio.pytest_plugin").assert_outcomes(passed=2, failed=1)


def test_tests_that_fail_or_skip_do_so_as_ever(pytester: pytest.Pytester) -> None:
    source = """
    @pytest.mark.no_leaks
    def test_fails():
        assert 1 == 2

    @pytest.mark.no_leaks
    def test_skips():
        pytest.skip("not here")

    @pytest.mark.no_leaks
    @pytest.mark.xfail(strict=True)
    def test_expected():
        raise KeyError

    @pytest.mark.no_leaks
    def test_once():
        assert next(NUMBERS) == 0
    """
    result = run(pytester, source)
    result.assert_outcomes(failed=2, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(["*this was call 2. Every call gets the same fixtures*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_unittest_classes_and_parameters_may_be_marked(pytester: pytest.Pytester) -> None:
    source = """
    import unittest

    class TestShop(unittest.TestCase):
        def setUp(self):
            self.number = 5

        @pytest.mark.no_leaks
        def test_kept(self):
            assert self.number == 5
            keep()

        @pytest.mark.no_leaks
        def test_fine(self):
            assert self.number == 5

    @pytest.mark.no_leaks
    @pytest.mark.parametrize("count", [0, 1])
    def test_parameters(count, tmp_path):
        TRAIL.extend(Entry(1) for _ in range(count))
    """
    run(pytester, source).assert_outcomes(failed=2, passed=2)


def test_a_slow_test_is_not_judged_and_says_so(pytester: pytest.Pytester) -> None:
    source = """
    import time

    @pytest.mark.no_leaks(budget=0.3)
    def test_slow():
        time.sleep(0.1)
        keep()
    """
    result = run(pytester, source)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["test_slow: too slow to be judged: * the budget is 0.3 s; give it more budget*"])


def test_a_test_may_patch_the_clock_and_the_collector(pytester: pytest.Pytester) -> None:
    source = """
    import gc, time
    from unittest import mock

    @pytest.fixture
    def patched(monkeypatch):
        monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
        monkeypatch.setattr(gc, "collect", mock.Mock(side_effect=OSError))
        monkeypatch.setattr(gc, "get_objects", mock.Mock(return_value=[]))

    @pytest.mark.no_leaks
    def test_kept(patched):
        keep()

    @pytest.mark.no_leaks
    def test_fine(patched):
        entry = Entry(1)
        entry.me = entry
    """
    result = run(pytester, source)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["test_kept leaks test_shop.Entry: 1 object per call *"])


@pytest.mark.parametrize("arguments", ["5", "calls=2", "call=50", "budget=-1"])
def test_a_marker_that_means_nothing_ends_the_run_before_it_begins(pytester: pytest.Pytester, arguments: str) -> None:
    result = run(pytester, f"@pytest.mark.no_leaks({arguments})\ndef test_it(): pass\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_shop.py::test_it: *no_leaks*"])


LEAKING = "@pytest.mark.no_leaks(calls=48)\ndef test_kept():\n    keep()\n"
FIXED = "@pytest.mark.no_leaks(calls=48)\ndef test_kept():\n    pass\n"


def test_the_baseline_is_a_ratchet(pytester: pytest.Pytester) -> None:
    baseline = ("--memwatch-baseline", "leaks.toml")
    missing = run(pytester, LEAKING, *baseline)
    assert missing.ret == pytest.ExitCode.USAGE_ERROR
    missing.stderr.fnmatch_lines(["*leaks.toml: No such file or directory; write it with --memwatch-baseline-write*"])
    run(pytester, LEAKING, "--memwatch-baseline-write").assert_outcomes(passed=1)
    known = run(pytester, LEAKING, *baseline)
    known.assert_outcomes(passed=1)
    known.stdout.fnmatch_lines(["known leak: test_shop.py::test_kept: test_shop.Entry, 1 object per call"])
    new = run(pytester, f"{LEAKING}\n{LEAKING.replace('test_kept', 'test_new')}", *baseline)
    new.assert_outcomes(passed=1, failed=1)
    fixed = run(pytester, FIXED, *baseline)
    fixed.assert_outcomes(passed=1)
    assert fixed.ret == pytest.ExitCode.TESTS_FAILED
    fixed.stdout.fnmatch_lines(["fixed: test_shop.py::test_kept no longer leaks test_shop.Entry: remove its entry *"])
    assert run(pytester, FIXED, *baseline, "--memwatch-baseline-write").ret == pytest.ExitCode.OK
    assert run(pytester, FIXED, *baseline).ret == pytest.ExitCode.OK


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "2")])
def test_workers_carry_what_they_found_to_reports_and_annotations(
    pytester: pytest.Pytester, workers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = run(pytester, f"{LEAKING}\ndef test_other(): pass\n", *workers, "--junitxml=junit.xml")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["::error file=test_shop.py,line=10,title=Memory leak::test_shop.py::test_kept leaks *"]
    )
    properties = {each.get("name"): each.get("value") or "" for each in ElementTree.parse("junit.xml").iter("property")}
    assert json.loads(properties["memwatch_leak"])["type"] == "test_shop.Entry"
    assert int(properties["memwatch_calls"]) > 48


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "2")])
def test_all_lists_what_the_tests_of_a_suite_keep(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    source = """
    @pytest.mark.parametrize("number", range(20))
    def test_small(number):
        pass

    def test_big():
        TRAIL.extend(Entry([number]) for number in range(5_000))

    def test_garbage():
        for number in range(5_000):
            entry = Entry(number)
            entry.me = entry
    """
    result = run(pytester, source, "--memwatch=all", *workers)
    result.assert_outcomes(passed=22)
    result.stdout.fnmatch_lines(
        [
            "22 tests kept * blocks of memory*",
            "*  test_shop.py::test_big*",
            "objects that came and stayed: *test_shop.Entry*",
        ]
    )
    result.stdout.no_fnmatch_line("*  test_shop.py::test_garbage*")


def test_all_counts_no_objects_where_nothing_has_grown(pytester: pytest.Pytester) -> None:
    source = """
    @pytest.mark.parametrize("number", range(30))
    def test_small(number):
        pass
    """
    result = run(pytester, source, "--memwatch=all")
    result.assert_outcomes(passed=30)
    result.stdout.fnmatch_lines(["30 tests kept * blocks of memory*"])
    result.stdout.no_fnmatch_line("objects that came and stayed*")


def test_all_names_what_tests_too_quick_for_a_reading_keep(pytester: pytest.Pytester) -> None:
    """They share one: the last of them is named, with how many came before it."""
    source = """
    from memwatch.pytest_plugin import suite

    @pytest.mark.parametrize("number", range(30))
    def test_small(number):
        suite.READING_SHARE = 1.0 if number < 20 else 1e-9
        if number == 23:
            TRAIL.extend(Entry([number]) for number in range(5_000))
    """
    result = run(pytester, source, "--memwatch=all")
    result.assert_outcomes(passed=30)
    result.stdout.fnmatch_lines(["30 tests kept *", "* test_shop.py::test_small[[]29] and the 9 before it*"])
    result.stdout.fnmatch_lines(["objects that came and stayed: 5,* list, 5,000 test_shop.Entry*"])
    result.stdout.no_fnmatch_line("*objects that came and stayed*_pytest*")


def test_a_unittest_class_is_set_up_for_each_call(pytester: pytest.Pytester) -> None:
    source = """
    import unittest

    ORDER = []

    @pytest.mark.no_leaks
    class TestShop(unittest.TestCase):
        def setUp(self):
            self.basket = []
            self.addCleanup(ORDER.clear)
            ORDER.append("set up")

        def tearDown(self):
            ORDER.append("torn down")

        def test_basket(self):
            self.basket.append(1)
            self.assertEqual(self.basket, [1])
            self.assertEqual(ORDER, ["set up"])
            self.assertFalse(hasattr(self, "was_here"))
            self.was_here = True

    def test_after():
        assert ORDER == []
    """
    run(pytester, source).assert_outcomes(passed=2)


def test_another_plugin_may_mark_every_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        mark_all="""
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.no_leaks)
        """
    )
    pytester.syspathinsert()
    pytester.makepyfile(test_shop=dedent(SHOP) + "\ndef test_kept():\n    keep()\n")
    result = pytester.runpytest_subprocess("-p", "mark_all", "-p", "memwatch.pytest_plugin", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)


def test_off_runs_marked_tests_once(pytester: pytest.Pytester) -> None:
    source = """
    @pytest.mark.no_leaks
    def test_kept():
        assert next(NUMBERS) == 0

    def test_fixture(memory):
        memory.assert_no_leak(keep)
        assert len(TRAIL) == 1
    """
    run(pytester, source, "--memwatch=off").assert_outcomes(passed=2)


def test_nothing_is_loaded_until_it_is_used(pytester: pytest.Pytester) -> None:
    source = """
    import sys

    def test_loaded():
        assert [name for name in sys.modules if name.startswith("memwatch")] == ["memwatch", "memwatch.pytest_plugin"]
        assert not {"django", "celery", "psutil"} & set(sys.modules)
    """
    run(pytester, source).assert_outcomes(passed=1)


def test_the_fixture_may_be_asked_for_by_name(pytester: pytest.Pytester) -> None:
    source = """
    def test_kept(request):
        with pytest.raises(AssertionError, match="test_shop.Entry: 1 object per call"):
            request.getfixturevalue("memory").assert_no_leak(keep)
    """
    run(pytester, source).assert_outcomes(passed=1)


def test_what_pytest_captures_of_logging_is_no_leak(pytester: pytest.Pytester) -> None:
    source = """
    import logging
    log = logging.getLogger("shop")

    @pytest.fixture
    def before():
        log.warning("set up")

    @pytest.mark.no_leaks
    def test_logs(before, caplog):
        log.warning("order %s", next(NUMBERS))
        assert [record.message.partition(" ")[0] for record in caplog.records] == ["order"]
        assert [record.message for record in caplog.get_records("setup")] == ["set up"]

    def test_within(memory, caplog):
        log.warning("begun")
        memory.assert_no_leak(lambda: log.warning("order"))
        assert caplog.messages == ["begun", "order"]
        assert caplog.text.count("order") == 1
        caplog.clear()
        memory.assert_no_leak(lambda: (caplog.clear(), log.warning("order")))
        assert caplog.messages == ["order"]
    """
    run(pytester, source).assert_outcomes(passed=2)


def test_each_call_finds_output_warnings_patches_and_properties_as_the_first(pytester: pytest.Pytester) -> None:
    source = """
    import os, warnings

    @pytest.fixture
    def patched(monkeypatch):
        monkeypatch.setenv("SHOP", "fixture")

    @pytest.mark.no_leaks
    def test_warns():
        warnings.warn("old", DeprecationWarning)

    @pytest.mark.no_leaks
    def test_prints(capsys):
        print("order" * 500)

    @pytest.mark.no_leaks
    def test_patches(patched, monkeypatch):
        assert os.environ["SHOP"] == "fixture"
        assert "ORDER" not in os.environ
        monkeypatch.setenv("ORDER", "7")
        monkeypatch.setattr(Entry, "number", 7, raising=False)

    @pytest.mark.no_leaks
    def test_records(record_property):
        record_property("order", 7)

    def test_after():
        assert "SHOP" not in os.environ
        assert not hasattr(Entry, "number")
    """
    result = run(pytester, source, "--junitxml=junit.xml")
    result.assert_outcomes(passed=5, warnings=2)
    recorded = [each.get("name") for each in ElementTree.parse("junit.xml").iter("property")]
    assert recorded.count("order") == 1


@on_linux
@pytest.mark.skipif("musl" in sys.version, reason="the C library does not tell what is in use")
def test_the_line_that_takes_native_memory_is_found(pytester: pytest.Pytester) -> None:
    source = """
    import ctypes, sys

    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]

    def lost():
        libc.free(libc.malloc(5_000))
        return libc.malloc(2_000)

    @pytest.mark.no_leaks
    def test_native():
        lost()

    def test_nobody_traces():
        assert sys.gettrace() is None
    """
    result = run(pytester, source)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["  made at: test_shop.py:20", "      return libc.malloc(2_000)"])


LIBC = """
    import ctypes

    libc = ctypes.CDLL(None)
    libc.malloc.restype = libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
"""
of_glibc = pytest.mark.skipif(
    sys.platform != "linux" or "musl" in sys.version, reason="the C library does not tell what is in use"
)


@of_glibc
def test_native_memory_that_several_lines_take_names_the_call(pytester: pytest.Pytester) -> None:
    source = """
    def opened():
        first = libc.malloc(700)
        second = libc.malloc(700)
        third = libc.malloc(700)
        return first, second, third

    @pytest.mark.no_leaks
    def test_opened():
        before = [NUMBERS]
        opened()
    """
    result = run(pytester, LIBC + source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  made at: *", "      opened()"])


@of_glibc
def test_memory_that_is_mapped_without_an_allocator_is_a_leak(pytester: pytest.Pytester) -> None:
    source = """
    @pytest.mark.no_leaks
    def test_mapped():
        libc.mmap(None, 16_384, 3, 0x22, -1, 0)
    """
    result = run(pytester, LIBC + source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*memory that a library maps for itself, outside Python's objects: 16.0 KB per call*",
            "  made at: *",
            "      libc.mmap(None, 16_384, 3, 0x22, -1, 0)",
        ]
    )


CYCLES = """
    import gc

    @pytest.mark.no_leaks
    def test_cycles(collector):
        entry = Entry(1)
        entry.me = entry
"""


def test_cycles_are_a_leak_where_a_fixture_switches_the_collector_off(pytester: pytest.Pytester) -> None:
    source = """
    @pytest.fixture
    def collector():
        gc.disable()
        yield
        gc.enable()
    """
    result = run(pytester, CYCLES + source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "test_cycles leaks test_shop.Entry: 1 object per call (* in * calls)",
            "      entry = Entry(1)",
            "  to do: switch the garbage collector on again, or call gc.collect() now and then.",
        ]
    )


def test_cycles_pass_where_the_whole_run_has_no_collector(pytester: pytest.Pytester) -> None:
    source = """
    gc.disable()

    @pytest.fixture
    def collector():
        assert not gc.isenabled()
    """
    run(pytester, CYCLES + source).assert_outcomes(passed=1)


def test_coverage_does_not_look_like_a_leak(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shop=dedent(SHOP) + FIXED + LEAKING.replace("test_kept", "test_leaking"))
    options = ("-p", "memwatch.pytest_plugin", "-p", "no:cacheprovider")
    result = pytester.run(sys.executable, "-m", "coverage", "run", "-m", "pytest", *options)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["test_leaking leaks test_shop.Entry: *"])
    if sys.platform == "linux":
        result.stdout.fnmatch_lines(["  held by: test_shop.TRAIL (list, * entries)"])
