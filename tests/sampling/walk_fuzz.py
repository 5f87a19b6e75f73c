"""Bad company for the compiled walk: everything a program may do to the heap, at once, while it is counted.

A program by itself, for any Python that the walk is compiled for, a sanitizer's or a debug build too:
``python tests/sampling/walk_fuzz.py --seconds 60 --module path/to/_heap_walk.so``. It ends with 0 when nothing broke.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import importlib
import importlib.util
import os
import random
import struct
import sys
import threading
import time
import traceback
import tracemalloc
import warnings
import weakref
from collections import Counter, deque
from collections.abc import Callable
from types import ModuleType
from typing import Any

BIG = 20
CONTAINER = struct.Struct("6q")
TYPES = 10_000
HANGS_AFTER_S = float(os.environ.get("HANGS_AFTER_S", "30"))

Work = Callable[[random.Random], None]


def load(path: str) -> ModuleType:
    """The compiled walk: of this file, or of the package."""
    name = "memwatch.sampling._heap_walk"
    if not path:
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Node:
    """A part of a cycle."""

    def __init__(self) -> None:
        self.others: list[Any] = [self]


class Slow(Node):
    """Lets other threads run while a collection is under way."""

    def __del__(self) -> None:
        time.sleep(0)


class Fuzz:
    """Threads that do harm until time is over, and the walks between them."""

    def __init__(self, walk: ModuleType, seed: int) -> None:
        self.walk, self.seed = walk, seed
        self.interpreters = seed % 2 == 0
        """Sub-interpreters, or forks and tracemalloc: CPython itself does not bear both."""
        self.over = threading.Event()
        self.quiet = threading.Condition()
        self.works = 0
        """Under way."""
        self.pausing = False
        self.failures: list[str] = []
        self.done: Counter[str] = Counter()
        self.kept: list[Any] = [{"n": [number]} for number in range(5_000)]
        self.mortal: list[weakref.ref[type]] = []

    def count(self) -> dict[int, int]:
        """Walk, and check what can be checked while everything moves."""
        rests = random.choice((0.0, 1.0, 5.0))
        try:
            found = self.walk.walk(BIG, random.choice((20, 500, 500, 5_000)), rests)
        except (InterruptedError, TimeoutError) as stopped:
            self.done[type(stopped).__name__] += 1
            return {}
        types, counts, sizes, total, packed, *_, approximate = found
        assert len(types) == len(counts) == len(sizes)
        assert all(isinstance(kind, type) for kind in types)
        assert sum(counts) == total > len(self.kept)
        for _, kind, length, of, size, sized in CONTAINER.iter_unpack(packed):
            assert 0 < kind < len(self.walk.KINDS)
            assert length >= BIG
            assert -1 <= of < len(types)
            assert size >= 0 <= sized
        self.done["approximate walks" if approximate else "walks"] += 1
        return {} if approximate else dict(zip(map(id, types), counts, strict=True))

    def check_truth(self) -> None:
        """While nothing else runs the count is the truth."""
        with self.quiet:
            self.pausing = True
            assert self.quiet.wait_for(lambda: not self.works, HANGS_AFTER_S), "a thread hangs"
            enabled = gc.isenabled()
            gc.disable()
            gc.unfreeze()  # what is frozen is counted, and not among gc.get_objects()
            counted: dict[int, int] = {}
            while not counted:
                counted = self.count()
            truth = Counter(map(id, map(type, gc.get_objects())))  # no metaclass is asked
            if enabled:
                gc.enable()
            self.pausing = False
            self.quiet.notify_all()
        wrong = {
            kind.__qualname__: (counted.get(id(kind), 0), truth[id(kind)])
            for kind in (Node, Slow, dict, set, deque, type(sys))
            if abs(counted.get(id(kind), 0) - truth[id(kind)]) > 20
        }
        assert not wrong, wrong
        self.done["truths"] += 1

    # What a program does.

    def make_and_drop(self, chance: random.Random) -> None:
        nodes: list[Any] = [Node() for _ in range(chance.randrange(500))] + [Slow()]
        for node in nodes:
            node.others.append(chance.choice(nodes))
        entries: list[Any] = list(range(chance.randrange(200)))
        kinds = (list, tuple, set, deque, dict.fromkeys, frozenset, bytearray)
        many: list[Any] = [chance.choice(kinds)(entries) for _ in range(100)]
        for one in many:
            with contextlib.suppress(TypeError, AttributeError, KeyError, IndexError):
                one.pop(3)
            if isinstance(one, list):
                one.sort(key=lambda entry: -entry)  # empty to others as long as it is sorted
        for _ in range(100):
            self.kept[chance.randrange(len(self.kept))] = chance.choice(many)

    def make_types(self, chance: random.Random) -> None:
        meta = type("Meta", (type,), {"__eq__": lambda _a, _b: 1 / 0, "__hash__": lambda _a: 1 / 0})
        for number in range(chance.randrange(300)):
            kind = chance.choice((type, meta))(f"Mortal{number}", (Node,), {"__slots__": ()})
            self.mortal.append(weakref.ref(kind))
            self.kept[chance.randrange(len(self.kept))] = kind()
        del self.mortal[:-TYPES]

    def collect(self, chance: random.Random) -> None:
        switches = (gc.freeze, gc.unfreeze, gc.disable, gc.enable, gc.enable)
        chance.choice(switches)()
        gc.set_threshold(chance.choice((0, 10, 700, 2_000, 100_000)), 10, 10)
        gc.collect(chance.randrange(3))
        time.sleep(chance.random() / 50)

    def look(self, chance: random.Random) -> None:
        seen = gc.get_objects()
        held = [one for one in seen if type(one).__name__ == "Bookmark"]  # a program may keep anything
        del seen
        gc.get_referrers(*held)
        time.sleep(chance.random() / 100)

    def trace(self, chance: random.Random) -> None:
        sys.setprofile(chance.choice((None, lambda *_: None)))
        sys.settrace(chance.choice((None, lambda *_: None)))
        if not self.interpreters:
            chance.choice((tracemalloc.start, tracemalloc.stop))()
        self.make_and_drop(chance)

    def fork(self, _chance: random.Random) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that threads run is the point
            pid = os.fork()
        if pid == 0:
            status = 1
            try:
                faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True)
                self.walk.stop()
                assert not [one for one in gc.get_objects() if type(one).__name__ == "Bookmark"]
                with contextlib.suppress(
                    TimeoutError
                ):  # forked in a collection of another thread: that never ends here
                    self.walk.walk(BIG, 500, 0.0)
                gc.collect()
                status = 0
            except BaseException:  # noqa: BLE001 - said at the end
                traceback.print_exc()
            os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0, "a forked child failed"

    def stop(self, chance: random.Random) -> None:
        time.sleep(chance.random() * 4)
        self.walk.stop()

    def interpreter(self, _chance: random.Random) -> None:
        """Another interpreter in this process, with walks of its own."""
        for name in ("_interpreters", "_xxsubinterpreters"):
            with contextlib.suppress(ImportError):
                other: Any = importlib.import_module(name)
                break
        code = f"import sys; sys.path[:] = {sys.path!r}\nfrom importlib import util\n"
        # By its file: the package imports modules that an interpreter with a lock of its own refuses.
        code += f"spec = util.spec_from_file_location('memwatch.sampling._heap_walk', {self.walk.__file__!r})\n"
        code += "walk = util.module_from_spec(spec)\nspec.loader.exec_module(walk)\n"
        code += "[walk.walk(20, 20, 0.0) for _ in range(3)]\n"
        interpreter = other.create()
        try:
            problem = other.run_string(interpreter, code)
            assert problem is None, problem
        finally:
            other.destroy(interpreter)

    def run_thread(self, work: Work, number: int) -> None:
        chance = random.Random(self.seed * 100 + number)
        try:
            while not self.over.is_set():
                with self.quiet:
                    self.quiet.wait_for(lambda: not self.pausing or self.over.is_set())
                    self.works += 1
                try:
                    work(chance)
                finally:
                    with self.quiet:
                        self.works -= 1
                        self.quiet.notify_all()
                self.done[work.__name__] += 1
        except BaseException:  # noqa: BLE001 - said at the end
            self.failures.append(traceback.format_exc())
            self.over.set()

    def walk_on(self, _chance: random.Random) -> None:
        self.count()

    def run(self, seconds: float, without: list[str]) -> int:
        works: list[Work] = [self.make_and_drop] * 3
        works += [self.make_types, self.collect, self.look, self.trace, self.stop]
        works += [self.interpreter] if self.interpreters else [self.fork]
        works = [work for work in works if work.__name__ not in without] + [self.walk_on] * 2
        sys.setswitchinterval(0.0005)
        references = sys.getrefcount(Slow)
        threads = [threading.Thread(target=self.run_thread, args=(work, n)) for n, work in enumerate(works)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + seconds
        while not self.over.wait(0.5) and time.monotonic() < until:
            try:
                self.check_truth()
            except BaseException:  # noqa: BLE001 - said at the end
                self.failures.append(traceback.format_exc())
                break
        self.over.set()
        with self.quiet:
            self.pausing = False
            self.quiet.notify_all()
        for thread in threads:
            thread.join(HANGS_AFTER_S)
            if thread.is_alive():
                self.failures.append("a thread hangs")
                faulthandler.dump_traceback(all_threads=True)
                os._exit(1)
        self.walk.stop()
        gc.unfreeze()
        self.kept.clear()
        gc.collect()
        left = [one for one in gc.get_objects() if type(one).__name__ == "Bookmark"]
        alive = sum(kind() is not None for kind in self.mortal)
        if left or alive or sys.getrefcount(Slow) > references:
            self.failures.append(f"left: {left}, types alive: {alive}, references: {sys.getrefcount(Slow)}")
        sys.stderr.write("".join(self.failures))
        sys.stdout.write(f"{dict(self.done)}\n")
        return 1 if self.failures else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--module", default="")
    parser.add_argument("--without", nargs="*", default=[])
    options = parser.parse_args()
    faulthandler.enable()
    return Fuzz(load(options.module), options.seed).run(options.seconds, options.without)


if __name__ == "__main__":
    sys.exit(main())
