"""The compiled walk through a copy: the same dump as in Python, and next to no memory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from memwatch.diagnosis.copy import parent
from memwatch.diagnosis.heap_dump import compiled
from memwatch.heapdump.format import Edge
from tests.heapdump.loading import Row, load

pytestmark = [
    pytest.mark.skipif(parent.impossible() is not None, reason="no copy of a process can be had here"),
    pytest.mark.skipif(compiled.module is None, reason="the walk through a copy is not compiled here"),
]


def script(code: str, *arguments: object) -> Any:
    """What ``code`` prints as JSON."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MEMWATCH_HEAP_WALK": "on"}
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, check=False, timeout=200, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def edges(row: Row) -> list[tuple[int, Edge, str]]:
    """In an order that says nothing of how they were found."""
    return sorted(row.edges)


def test_both_ways_write_the_same(tmp_path: Path) -> None:
    code = """
        import collections, gc, json, sys, weakref
        from memwatch import dump_heap
        from memwatch.diagnosis.heap_dump import compiled, walk

        class Plain:
            def __init__(self, number):
                self.number, self.text, self.same = number, f"text {number}" * 3, number

        class Slotted:
            __slots__ = ("first", "second", "unset", "__weakref__")

        class Both(Slotted):
            pass

        class Listed(list):
            __slots__ = ("owner",)

        class Counted(int):
            pass

        Named = collections.namedtuple("Named", "a b")

        def closed(value):
            def inner():
                return value, other
            other = [value]
            return inner

        def generated(value):
            yield value

        kept = []
        for number in range(60):
            plain, slotted, both, listed, counted = Plain(number), Slotted(), Both(), Listed([number]), Counted(7)
            slotted.first, slotted.second, both.second, both.attribute = plain, (number,), plain, [number]
            listed.owner, counted.attribute = plain, "kept by a number" * 2
            if number % 3 == 0:
                vars(plain)["more"] = number
            if number % 4 == 0:
                plain.later = {"a": number}
            function = generated(plain)
            next(function)
            kept += [plain, slotted, both, listed, counted, Named(plain, number), closed(plain), function,
                     {"a": plain, (1, number): b"bytes" * number}, {number, "x" * number}, frozenset([plain]),
                     weakref.ref(plain), collections.OrderedDict(a=plain), collections.deque([plain]), 2.5 + number,
                     bytearray(number), property(closed), plain.__init__, "\\u20ac" * number, "\\xe9" * number]
        gc.collect()
        dump_heap(sys.argv[1])  # modules that a dump imports, caches that it fills
        gc.collect()
        dump_heap(sys.argv[1])
        compiled.module = None
        if sys.version_info >= (3, 13):  # before, a generator that was asked for its variables keeps them in a dict
            walk.CHUNK = 50
        dump_heap(sys.argv[2])
        print(json.dumps([list(map(id, kept)), [id(vars(each)) for each in kept if type(each) is Plain]]))
    """
    mine, namespaces = script(code, tmp_path / "c.heap", tmp_path / "python.heap")
    one, other = (load(tmp_path / name) for name in ("c.heap", "python.heap"))
    common = one.objects.keys() & other.objects.keys()
    assert len(common) > 0.995 * len(other.objects)
    more = [one.objects[address].type for address in one.objects.keys() - common]
    assert sum(of not in ("str", "tuple", "bytes") for of in more) < 0.005 * len(common)  # these are parts of code
    assert common.issuperset(mine)
    for address in mine:
        first, second = one.objects[address], other.objects[address]
        assert edges(first) == edges(second), first.type
        for field in ("type", "flags", "length", "hash", "references"):
            assert getattr(first, field) == getattr(second, field), (field, first, second)
        assert abs(first.size - second.size) <= (400 if "Plain" in first.type or "Both" in first.type else 0), first
    different = [
        address for address in common
        if one.objects[address].type != "code"  # Python cannot ask it for all that it refers to
        and edges(one.objects[address]) != edges(other.objects[address]) and address not in namespaces
    ]  # fmt: skip
    assert len(different) < 0.002 * len(common)
    assert [one.names.get(address) for address in mine] == [other.names.get(address) for address in mine]
    of_one_dump = set(one.names.items()) ^ set(other.names.items())  # what makes the dump lies elsewhere each time
    assert len(of_one_dump) < 0.002 * len(one.names), of_one_dump


def test_the_copy_owns_a_small_part_of_the_heap() -> None:
    owned_mb, rss_mb = script("""
        import gc, json, tempfile, time
        from memwatch.diagnosis.context import Host
        from memwatch.diagnosis.cost_meter import Meter
        from memwatch.diagnosis.heap_dump.dump import Dump
        from memwatch.sampling.procmem import ProcessMemory

        kept = [{"number": number, "row": [str(number), (number, str(-number))]} for number in range(250_000)]
        gc.collect()
        gc.disable()  # a collection of the program's would leave it the old pages
        rss_mb, meter = ProcessMemory().resident().rss_mb, Meter()
        with tempfile.TemporaryFile() as file:
            for wait_s in Dump(file, Host(), keys=False, most_mb=2_000, any_driver=True).run(meter):
                time.sleep(wait_s)
        print(json.dumps([meter.figures()["child_mb"], rss_mb]))
    """)
    assert rss_mb > 100
    assert owned_mb < 0.5 * rss_mb


def test_numbers_that_are_none_are_errors_and_objects_that_are_too_many_end_it() -> None:
    module = compiled.module
    assert module is not None
    given: dict[int, int] = {}
    with pytest.raises(TypeError):
        module.Walk()
    empty = module.Walk(b"", 0, id, id, id, None, print, given, 10)
    assert empty.run() == []
    with pytest.raises(TypeError):
        empty.meet(())
    wrong = module.Walk(b"", 0, lambda of: (of,), id, id, None, print, given, 10)
    wrong.meet(["a text"])
    with pytest.raises(TypeError):
        wrong.run()
    few = module.Walk(
        b"", 0, lambda _of: (0, 1, 1, True, 0, str.__sizeof__, []), id, id, None, lambda *_section: None, given, 1
    )
    few.meet(["one text", "another text", "a third text"])
    assert few.run() is None
    with pytest.raises(TypeError):
        module.snapshot(None)
