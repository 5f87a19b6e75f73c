"""Memory that malloc keeps is returned and measured, in programs of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.recorder import Recorder
from memwatch.diagnosis.trim.c_library import CLibrary
from tests.servers import require

pytestmark = pytest.mark.skipif(bool(CLibrary().why_not), reason=f"without malloc_trim: {CLibrary().why_not}")

RUN = """
import gc, json
from memwatch.diagnosis.context import Host
from memwatch.diagnosis.recorder import Recorder
def run(**options):
    recorder = Recorder("trim", options, Host())
    while (outcome := recorder.step()) is None:
        pass
    return outcome
def result(**options):
    outcome = run(**options)
    assert outcome.state == "done", outcome.error
    return json.loads(outcome.content)
def fragment(number=20_000, keep=25):
    return [bytearray(5_000) for _ in range(number)][::keep]
"""


def program(code: str, **environment: str) -> str:
    """What the program prints; nothing may come to stderr."""
    done = subprocess.run(
        [sys.executable, "-c", RUN + textwrap.dedent(code)],
        capture_output=True, text=True, check=True, timeout=120, env={"PATH": "/usr/bin:/bin", **environment},
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.strip()


def test_fragmented_memory_is_returned_and_the_loss_of_rss_is_what_was_measured() -> None:
    said = program(
        """
        import psutil
        kept = fragment()
        before = psutil.Process().memory_info().rss
        found = result()
        outside = (before - psutil.Process().memory_info().rss) / 2**20
        returned = found["rss_before_mb"] - found["rss_after_mb"]
        assert returned > 70, found
        assert abs(returned - outside) < 8, (returned, outside)
        assert 70 < found["uss_before_mb"] - found["uss_after_mb"] < 110
        assert found["malloc_free_mb"] >= found["malloc_pages_mb"] > 70
        assert found["arenas"][0]["number"] == 0
        print(found["trimmed"], found["malloc"].split()[0])
        """
    )
    assert said == "True glibc"


def test_memory_in_use_is_not_returned() -> None:
    assert program('kept = fragment(keep=1); f = result(); print(f["rss_before_mb"] - f["rss_after_mb"] < 8)') == "True"


def test_each_threads_arena_is_counted() -> None:
    said = program(
        """
        import threading
        go, made = threading.Event(), threading.Barrier(5)
        def work():
            kept = fragment(3_000)
            made.wait(); go.wait()
        for _ in range(4):
            threading.Thread(target=work).start()
        made.wait()
        print(result()["arenas_in_all"] >= 4)
        go.set()
        """
    )
    assert said == "True"


def test_no_finalizer_of_the_program_runs() -> None:
    said = program(
        """
        ran = []
        class Cycle:
            def __init__(self): self.me = self
            def __del__(self): ran.append(1)
        gc.disable()
        for _ in range(100):
            Cycle()
        result()
        print(len(ran), gc.isenabled())
        gc.collect()
        """
    )
    assert said == "0 False"


def test_other_threads_run_on_during_the_call() -> None:
    said = program(
        """
        import threading, time
        from memwatch.diagnosis.trim import c_library
        kept = fragment(60_000)
        counted = 0
        def count():
            global counted
            while counted >= 0: counted += 1
        threading.Thread(target=count, daemon=True).start()
        before = counted
        trimmed = c_library.CLibrary().trim()
        print(trimmed.returned, counted - before > 100)
        """
    )
    assert said == "True True", "with the interpreter's lock held, the other thread would count nothing"


def test_a_call_that_would_take_too_long_is_refused_with_the_remedy() -> None:
    error = program(
        'kept = fragment(); o = run(max_pause_ms=1); print(o.state, o.error); print(result()["rss_before_mb"] > 90)'
    )
    assert error.startswith("failed malloc has ")
    assert "more than max_pause_ms (1): allow more, or trim at a quiet time" in error
    assert error.endswith("True"), "nothing was returned by the first"


def test_locked_memory_that_the_system_does_not_take_breaks_nothing() -> None:
    said = program(
        """
        import ctypes
        from memwatch.diagnosis.trim.verdict import verdict
        kept = fragment()
        if ctypes.CDLL(None).mlockall(1):
            print("not allowed")
        else:
            print(verdict(result()).sentence)
        """
    )
    if said == "not allowed":
        pytest.skip("this user may not lock memory")
    assert "returned before, or the system does not take it" in said


def test_the_pause_is_part_of_the_cost() -> None:
    said = program('kept = fragment(); o = run(); print(o.measured["longest_pause_ms"] > 1)')
    assert said == "True"


def test_settings_of_the_environment_come_with_it() -> None:
    said = program('print(result()["settings"])', MALLOC_ARENA_MAX="2", SECRET_KEY="MALLOC_ARENA_MAX=9")
    assert said == "{'MALLOC_ARENA_MAX': '2'}"


def test_in_another_allocator_nothing_is_trimmed_and_that_is_said(tmp_path: Path) -> None:
    library = _other_malloc(tmp_path)
    said = program('f = result(); print(f["trimmed"], f["reason"], f["rss_before_mb"] > 5)', LD_PRELOAD=str(library))
    assert said.startswith("False this process takes its memory from libother.so, and not from glibc's malloc")
    assert said.endswith("True")


def _other_malloc(folder: Path) -> Path:
    """A library with a malloc of its own, which never frees."""
    source = folder / "other.c"
    source.write_text(
        """
        #include <stddef.h>
        #include <string.h>
        #include <sys/mman.h>
        static char *next, *end;
        static size_t sizes(void *p) { return ((size_t *)p)[-2]; }
        void *malloc(size_t n) {
            size_t all = (n + 31) & ~(size_t)15;
            if (!next || all > (size_t)(end - next)) {
                size_t part = all > (64 << 20) ? all : (64 << 20);
                next = mmap(0, part, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                end = next + part;
            }
            char *p = next + 16;
            next += all;
            ((size_t *)p)[-2] = n;
            return p;
        }
        void free(void *p) { (void)p; }
        void *calloc(size_t a, size_t b) { return malloc(a * b); }
        void *realloc(void *p, size_t n) {
            void *q = malloc(n);
            if (p) memcpy(q, p, sizes(p) < n ? sizes(p) : n);
            return q;
        }
        """
    )
    library = folder / "libother.so"
    compiler = require("compiler", shutil.which("gcc"), "no gcc")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-fno-builtin", "-o", str(library), str(source)],
        check=True, capture_output=True,
    )  # fmt: skip
    return library


def test_near_the_memory_limit_it_is_not_refused_for_it_frees_memory() -> None:
    near = Host(heap_limit_mb=1.0)
    with pytest.raises(Refused, match="near its memory limit"):
        Recorder("heap_summary", {}, near)
    recorder = Recorder("trim", {}, near)
    while (outcome := recorder.step()) is None:
        pass
    assert outcome.state == "done"


def test_an_unknown_option_value_is_refused_before_anything_happens() -> None:
    with pytest.raises(Refused, match="watch_minutes is 'x'"):
        Recorder("trim", {"watch_minutes": "x"}, Host())
