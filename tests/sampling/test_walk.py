"""The compiled walk on good days and bad ones; what disturbs a whole process happens in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from memwatch.sampling import walk
from tests.sampling.ways import need_walk


@pytest.fixture(autouse=True)
def _walk() -> None:
    need_walk()


def script(code: str, **environ: str) -> Any:
    """What ``code`` gives to ``say``; it must end well and quietly. ``walk`` is compiled, ``kept`` is its heap."""
    head = """
        import gc, json, os, sys, threading, time
        from collections import Counter
        from memwatch.sampling import _heap_walk

        class Kept:
            pass

        def counted(*, hold_us=200, rest=1.0):
            types, counts, _, total, *_ = found = _heap_walk.walk(250, hold_us, rest)
            assert sum(counts) == total
            names = Counter()
            for of, count in zip(types, counts):
                names[of.__name__] += count
            return names, found

        def walking(rest=50.0):
            "A thread in the rests of a long walk."
            ended = []
            def work():
                try:
                    ended.append(counted(hold_us=50, rest=rest)[0]["Kept"])
                except BaseException as error:
                    ended.append(type(error).__name__)
            before = len(bookmarks())
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            while len(bookmarks()) == before and not ended:
                time.sleep(0.001)
            return thread, ended

        def bookmarks():
            return [one for one in gc.get_objects() if type(one).__name__ == "Bookmark"]

        STAY = 3  # bookmarks between walks

        def say(value):
            print(json.dumps(value))

        kept = [Kept() for _ in range(50_000)]
        gc.collect()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(code)],
        capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environ},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_on_a_quiet_heap_every_type_is_counted_as_python_counts_it() -> None:
    differing = script("""
        gc.disable()
        gc.unfreeze()  # gc.get_objects() leaves out what is frozen: CPython 3.12 itself has done that to some tuples
        _heap_walk.walk(250, 200, 0.0)
        found = _heap_walk.walk(250, 200, 0.0)
        python = Counter(map(type, gc.get_objects()))
        ours = Counter(dict(zip(found[0], found[1])))
        say({of.__name__: [ours[of], python[of]] for of in ours | python if abs(ours[of] - python[of]) > 3})
    """)
    assert differing == {}


def test_objects_made_and_dropped_meanwhile_do_not_disturb_the_count_of_the_others() -> None:
    seen = script("""
        class Made:
            pass

        stop = []
        def churn():
            made = []
            while not stop:
                made.append(Made())
                if len(made) == 1_000:
                    made.clear()
        threads = [threading.Thread(target=churn) for _ in range(8)]
        for thread in threads:
            thread.start()
        walks = [counted() for _ in range(10)]
        stop.append(1)
        for thread in threads:
            thread.join()
        say([[names["Kept"], names["Made"]] for names, found in walks if not found[-1]])
    """)
    assert seen
    assert {kept for kept, _ in seen} == {50_000}
    assert max(made for _, made in seen) <= 3 * 8 * 1_000  # in each of the lists those that live while it is walked


def test_collections_in_the_gaps_end_in_a_count_that_says_it_is_approximate() -> None:
    walks = script("""
        kept += [Kept() for _ in range(500_000)]  # more than the last attempt counts in one go
        stop = []
        def collect():
            while not stop:
                gc.collect()
        thread = threading.Thread(target=collect)
        thread.start()
        walks = [counted(hold_us=50)[1][3:]]
        ends = time.monotonic() + 60
        while not walks[-1][-1] and time.monotonic() < ends:
            walks.append(counted(hold_us=50)[1][3:])
        stop.append(1)
        thread.join()
        say([[total, restarts, approximate] for total, _, _, _, _, _, restarts, approximate in walks])
    """)
    assert all(restarts <= 2 for _, restarts, _ in walks)
    assert any(approximate for _, _, approximate in walks)
    assert all(total > 50_000 for total, _, approximate in walks if not approximate)


def test_a_frozen_heap_is_counted_also_when_it_is_frozen_or_thawed_amid_the_walk() -> None:
    seen = script("""
        seen = []
        gc.freeze()
        seen.append(counted()[0]["Kept"])
        for change in (gc.unfreeze, gc.freeze, gc.unfreeze):
            thread, ended = walking(rest=5.0)
            change()
            thread.join()
            seen += ended
        say(seen)
    """)
    assert seen == [50_000] * 4


def test_what_is_thawed_into_the_list_that_is_being_walked_is_counted_once() -> None:
    seen = script("""
        gc.freeze()
        more = [Kept() for _ in range(50_000)]
        gc.collect()
        thread, ended = walking(rest=5.0)  # amid the oldest generation: what is frozen is not among gc.get_objects()
        thawed_amid = not ended
        gc.unfreeze()
        thread.join()
        say([thawed_amid, ended])
    """)
    assert seen == [True, [100_000]]


@pytest.mark.parametrize("between", ["", "gc.collect()"])
def test_what_is_thawed_and_frozen_again_amid_the_walk_is_counted_once(between: str) -> None:
    seen = script(f"""
        gc.freeze()
        more = [Kept() for _ in range(50_000)]
        thread, ended = walking()
        amid = not ended
        sys.setswitchinterval(10)  # the walk sees all of it at once
        gc.unfreeze()
        {between}
        gc.freeze()
        thread.join()
        say([amid, ended])
    """)
    assert seen == [True, [100_000]]


@pytest.mark.parametrize("first", ["", "gc.unfreeze()"])
def test_bookmarks_do_not_pile_up_where_what_is_frozen_goes_and_more_is_frozen(first: str) -> None:
    left = script(f"""
        for _ in range(30):
            del kept[:]
            {first}
            kept += [Kept() for _ in range(50_000)]
            gc.freeze()
            assert counted()[0]["Kept"] == 50_000
        gc.unfreeze()
        say(len(bookmarks()))
    """)
    assert left < 60


def test_others_run_between_big_containers_that_are_frozen() -> None:
    few, many = script("""
        gc.freeze()
        few = counted(hold_us=0)[1][8]
        big = [[None] * 300 for _ in range(4_000)]
        gc.freeze()
        say([few, counted(hold_us=0)[1][8]])
    """)
    assert many >= few + 15


@pytest.mark.parametrize("setting", ["gc.disable()", "gc.set_threshold(0)", "gc.set_threshold(10**6, 50, 1000)"])
def test_a_program_that_collects_in_its_own_way_is_counted_and_left_as_it_was(setting: str) -> None:
    seen, before, after = script(f"""
        {setting}
        more = [Kept() for _ in range(20_000)]
        before = [gc.isenabled(), gc.get_threshold()]
        seen = counted()[0]["Kept"]
        say([seen, before, [gc.isenabled(), gc.get_threshold()]])
    """)
    assert seen == 70_000
    assert before == after


def test_a_child_forked_amid_a_walk_counts_right_and_forgets_its_parents() -> None:
    child, parent = script("""
        import warnings
        warnings.simplefilter("ignore")  # from 3.12 on os.fork() warns of threads
        thread, ended = walking()
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            left = len(bookmarks())
            names = counted()[0]
            found = [left > 0, names["Kept"], names["Bookmark"], len(bookmarks()) == STAY]
            os.write(write, json.dumps(found).encode())
            os._exit(0)
        os.waitpid(pid, 0)
        thread.join()
        say([json.loads(os.read(read, 1000)), ended])
    """)
    assert child == [True, 50_000, 0, True]
    assert parent == [50_000]


def test_a_thread_that_is_killed_amid_a_walk_does_no_harm() -> None:
    told = script("""
        import ctypes
        thread, ended = walking()
        assert ctypes.CDLL(None).pthread_cancel(ctypes.c_ulong(thread.ident)) == 0
        while os.path.exists(f"/proc/self/task/{thread.native_id}"):
            time.sleep(0.001)
        gc.collect()
        names = counted()[0]
        say([ended, names["Kept"], names["Bookmark"]])
        sys.stdout.flush()
        os._exit(0)
    """)
    assert told == [[], 50_000, 0]


def test_a_walk_is_ended_by_a_stop_and_by_one_that_came_before_it_began() -> None:
    told = script("""
        thread, ended = walking()
        began = time.monotonic()
        _heap_walk.stop()
        thread.join()
        stopped_s = time.monotonic() - began
        stops = _heap_walk.stops()
        _heap_walk.stop()
        try:
            _heap_walk.walk(250, 500, 1.0, stops)
        except InterruptedError:
            ended.append("at once")
        say([ended, stopped_s, len(bookmarks()), counted()[0]["Kept"]])
    """)
    ended, stopped_s, left, after = told
    assert ended == ["InterruptedError", "at once"]
    assert stopped_s < 1
    assert (left, after) == (0, 50_000)


def test_two_walks_at_once_do_not_disturb_each_other() -> None:
    told = script("""
        walks = [walking(rest=3.0) for _ in range(3)]
        for thread, _ in walks:
            thread.join()
        left = len(bookmarks()) == STAY
        _heap_walk.stop()
        say([[ended for _, ended in walks], left, len(bookmarks())])
    """)
    assert told == [[[50_000]] * 3, True, 0]


def test_who_finds_the_bookmark_finds_an_object_without_secrets() -> None:
    told = script("""
        thread, ended = walking()
        held = bookmarks()[0]
        refused = []
        for act in (lambda: setattr(type(held), "__del__", print), lambda: type(held)(), lambda: setattr(held, "a", 1)):
            try:
                act()
            except (TypeError, AttributeError):
                refused.append(1)
        referents = [each is type(held) for each in gc.get_referents(held)]
        thread.join()
        del thread
        say([refused, referents, gc.is_tracked(held), repr(held)[:40], ended])
    """)
    refused, referents, tracked, shown, ended = told
    assert refused == [1, 1, 1]
    assert all(referents)
    assert not tracked
    assert shown.startswith("<memwatch.sampling._heap_walk.Bookmark")
    assert ended == [50_000]


def test_the_bookmarks_that_stay_divide_the_heap_and_go_when_it_is_stopped() -> None:
    shares, counts, left = script("""
        counts = [counted()[0]["Kept"] for _ in range(5)]
        old = gc.get_objects(generation=2)
        shares = [at / len(old) for at, one in enumerate(old) if type(one).__name__ == "Bookmark"]
        _heap_walk.stop()
        say([shares, counts, len(bookmarks())])
    """)
    assert [round(share * 8) / 8 for share in shares] == [0.25, 0.5, 0.75]
    assert counts == [50_000] * 5
    assert left == 0


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ("gc.freeze()", 50_000),
        ("gc.freeze(); counted(); gc.unfreeze()", 50_000),
        ("kept.reverse(); gc.collect()", 50_000),
        ("del kept[100:]", 100),
        ("del kept[1:-1]; gc.collect()", 2),
        ("gc.disable(); kept += [Kept() for _ in range(150_000)]; counted(); counted(); gc.collect()", 200_000),
        ("gc.disable(); kept += [Kept() for _ in range(150_000)]; counted(); counted(); gc.collect(0)", 200_000),
        ("gc.disable(); kept += [Kept() for _ in range(150_000)]; counted(); counted(); gc.freeze()", 200_000),
        ("[gc.get_referrers(one) for one in bookmarks()]", 50_000),
    ],
)
def test_whatever_becomes_of_the_bookmarks_that_stay_every_object_is_counted_once(change: str, kept: int) -> None:
    seen = script(f"""
        for _ in range(3):
            counted()
        {change}
        say([[names["Kept"], found[-1]] for names, found in (counted() for _ in range(4))])
    """)
    assert seen == [[kept, 0]] * 4


@pytest.mark.parametrize(
    ("change", "kept"), [("kept.clear()", 0), ("del kept[1000:-1000]", 2_000), ("kept[::2] = [0] * 25_000", 25_000)]
)
def test_what_lies_before_and_behind_the_bookmarks_may_go_amid_the_walk(change: str, kept: int) -> None:
    ended, after = script(f"""
        for _ in range(3):
            counted()
        thread, ended = walking()
        {change}
        thread.join()
        say([ended, counted()[0]["Kept"]])
    """)
    assert kept <= ended[0] <= 50_000
    assert after == kept


def test_types_made_and_dropped_meanwhile_are_neither_freed_under_it_nor_kept() -> None:
    alive = script("""
        import weakref
        stop, made = [], []
        def make():
            while len(made) < 10_000:
                of = type("Mortal", (), {})
                made.append(weakref.ref(of))
                of()
        thread = threading.Thread(target=make)
        thread.start()
        while thread.is_alive():
            counted(rest=0.0)
        thread.join()
        gc.collect()
        gc.collect()
        say([len(made), sum(ref() is not None for ref in made)])
    """)
    assert alive == [10_000, 0]


def test_a_collection_that_does_not_end_is_not_waited_for_without_end() -> None:
    told = script("""
        entered, release = threading.Event(), threading.Event()
        class Slow:
            def __del__(self):
                entered.set()
                release.wait(60)
        slow = Slow()
        slow.me = slow
        del slow
        collecting = threading.Thread(target=gc.collect, daemon=True)
        collecting.start()
        entered.wait(60)
        began = time.monotonic()
        try:
            counted()
        except TimeoutError as error:
            told = str(error)
        waited_s = time.monotonic() - began
        release.set()
        collecting.join()
        say([told, waited_s, counted()[0]["Kept"]])
    """)
    text, waited_s, after = told
    assert "did not end" in text
    assert 1.5 < waited_s < 10
    assert after == 50_000


def test_in_a_child_forked_amid_a_collection_of_another_thread_nothing_is_waited_for() -> None:
    told = script("""
        import warnings
        warnings.simplefilter("ignore")  # from 3.12 on os.fork() warns of threads
        begun, release = threading.Event(), threading.Event()
        class Slow:
            def __del__(self):
                begun.set()
                release.wait(60)
        slow = Slow()
        slow.me = slow
        del slow
        collecting = threading.Thread(target=gc.collect, daemon=True)
        collecting.start()
        assert begun.wait(60)
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            told = []
            for _ in range(2):
                began = time.monotonic()
                try:
                    counted()
                except TimeoutError as error:
                    told.append([str(error), time.monotonic() - began])
            os.write(write, json.dumps(told).encode())
            os._exit(0)
        os.waitpid(pid, 0)
        release.set()
        collecting.join()
        say([json.loads(os.read(read, 1000)), counted()[0]["Kept"]])
    """)
    child, parent = told
    assert [text for text, _ in child] == ["the fork has cut a garbage collection short"] * 2
    assert all(waited_s < 1 for _, waited_s in child)
    assert parent == 50_000


def test_tracing_profiling_and_a_patched_gc_module_see_and_change_nothing() -> None:
    told = script("""
        del sys.modules["memwatch.sampling._heap_walk"]
        def refuse(*_arguments):
            raise RuntimeError("the host's code was called")
        whole = {name: getattr(gc, name) for name in ("get_objects", "get_threshold", "get_stats", "collect")}
        for name in whole:
            setattr(gc, name, refuse)
        from memwatch.sampling import _heap_walk as again
        events = []
        sys.setprofile(lambda _frame, event, argument: events.append([event, getattr(argument, "__name__", "")]))
        sys.settrace(lambda *_: None)
        try:
            found = again.walk(250, 200, 0.0)
        finally:
            sys.settrace(None)
            sys.setprofile(None)
        names = dict(zip([of.__name__ for of in found[0]], found[1]))
        say([names["Kept"], [name for event, name in events if event != "call"]])
    """)
    kept, seen = told
    assert kept == 50_000
    assert set(seen) <= {"walk", "settrace", "setprofile"}


def test_the_interpreter_ends_while_a_thread_walks() -> None:
    assert (
        script("""
        walking(rest=200.0)
        say("over")
    """)
        == "over"
    )


def test_a_sub_interpreter_counts_its_own_objects() -> None:
    told = script("""
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        read, write = os.pipe()
        made = interpreters.create()
        problem = interpreters.run_string(made, f'''if True:
            import os
            from importlib import util
            # By its file: the package wants psutil, which an interpreter with a lock of its own refuses from 3.12 on.
            spec = util.spec_from_file_location({_heap_walk.__name__!r}, {_heap_walk.__file__!r})
            _heap_walk = util.module_from_spec(spec)
            spec.loader.exec_module(_heap_walk)
            class Mine: pass
            mine = [Mine() for _ in range(777)]
            found = _heap_walk.walk(250, 200, 0.0)
            names = dict(zip([of.__name__ for of in found[0]], found[1]))
            os.write({write}, str([names.get("Mine"), names.get("Kept", 0)]).encode())
        ''')
        assert problem is None, problem
        interpreters.destroy(made)
        say([json.loads(os.read(read, 100)), counted()[0]["Kept"], counted()[0]["Mine"]])
    """)
    assert told == [[777, 0], 50_000, 0]


def test_without_memory_the_walk_ends_cleanly() -> None:
    pytest.importorskip("_testcapi", reason="this Python comes without its test modules")
    told = script("""
        import _testcapi
        types = [type(f"T{number}", (), {}) for number in range(3_000)]
        ended = set()
        for start in (*range(1, 60), *range(60, 4_000, 97)):
            _testcapi.set_nomemory(start, 0)
            try:
                _heap_walk.walk(1, 10**6, 0.0)
            except MemoryError:
                end = "MemoryError"
            else:
                end = "counted"
            finally:
                _testcapi.remove_mem_hooks()
            ended.add(end)
        _heap_walk.stop()
        say([sorted(ended), len(bookmarks()), counted()[0]["Kept"]])
    """)
    ended, left, after = told
    assert "MemoryError" in ended
    assert (left, after) == (0, 50_000)


def test_the_newest_entries_of_a_dict_are_found_among_those_that_were_deleted() -> None:
    queue: dict[int, object] = {number: number for number in range(10_000)}
    for number in range(9_000):
        del queue[number]
    queue.update((10_000 + number, f"text {number}") for number in range(60))
    queue[-1] = [1]  # so that the collector tracks it
    found = next(one for one in walk.walk_heap(last_cpu_ms=0).seen.containers if one.token == id(queue))
    assert found.length == 1_061
    assert found.entry_types == [str]


def test_where_there_are_too_many_containers_the_longest_are_told() -> None:
    many = [[number] * 300 for number in range(6_000)]
    longest = [[number] * 5_000 for number in range(10)]
    told = {one.token for one in walk.walk_heap(last_cpu_ms=0).seen.containers}
    assert {id(one) for one in longest} <= told
    assert not {id(one) for one in many} & told


def test_an_unknown_way_of_calling_it_is_refused() -> None:
    from memwatch.sampling import _heap_walk

    for arguments in ((0, 500, 1.0), (250, -1, 1.0), (250, 500, -1.0), (250, 500, float("nan"))):
        with pytest.raises(ValueError, match="or more"):
            _heap_walk.walk(*arguments)


def test_it_can_be_switched_off_and_says_so() -> None:
    ask = "from memwatch.sampling.walk import census_method; print(census_method())"
    done = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=True,
        env={**os.environ, "MEMWATCH_HEAP_WALK": "off"},
    )  # fmt: skip
    assert done.stdout == "fallback: switched off by MEMWATCH_HEAP_WALK\n"
    assert walk.census_method() == "native walk"
