"""What a file has no room for, and figures that no object has: the dump is one that can be read."""

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
from tests.heapdump.loading import Loaded, load

pytestmark = pytest.mark.skipif(parent.impossible() is not None, reason="no copy of a process can be had here")


@pytest.fixture(params=["compiled", "python"])
def way(request: pytest.FixtureRequest) -> str:
    """How the dump is made."""
    if request.param == "compiled" and compiled.module is None:
        pytest.skip("the walk through a copy is not compiled here")
    return str(request.param)


def dumped(code: str, way: str, folder: Path) -> tuple[Loaded, Any]:
    """The dump of a process that has run the code, and what it says in ``said``."""
    file = folder / "all.heap"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment["MEMWATCH_HEAP_WALK"] = "on" if way == "compiled" else "off"
    whole = f"{textwrap.dedent(code)}\nimport json, sys, memwatch\nmemwatch.dump_heap(sys.argv[1], keys=True)\nend()\n"
    command = [sys.executable, "-c", f"def end(): pass\nsaid = None\n{whole}print(json.dumps(said))", str(file)]
    done = subprocess.run(command, check=False, timeout=100, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return load(file), json.loads(done.stdout)


def test_names_beyond_the_room_for_strings_are_the_last_string(way: str, tmp_path: Path) -> None:
    code = """
        from memwatch.heapdump.writer import Rows
        Rows.most_strings = 500
        kept = {f"key_{number}": [number] for number in range(2_000)}
    """
    loaded, _ = dumped(code, way, tmp_path)
    assert len(loaded.strings) <= 500
    assert "…" in loaded.strings
    assert not loaded.end.complete


def test_objects_beyond_the_room_for_types_have_the_last_type(way: str, tmp_path: Path) -> None:
    code = """
        from memwatch.heapdump.writer import Rows
        Rows.most_types = 150
        kept = [type(f"Made{number}", (), {"a": number})() for number in range(500)]
        for each in kept:
            each.b = [each]
        said = [id(each) for each in kept]
    """
    loaded, instances = dumped(code, way, tmp_path)
    assert loaded.end.counts["types"] == 150
    types = [loaded.objects[address].type for address in instances]
    assert sum("Made" not in of for of in types) >= 350
    assert not loaded.end.complete


def test_edges_beyond_the_room_for_edges_are_left_out(way: str, tmp_path: Path) -> None:
    code = """
        from memwatch.diagnosis.heap_dump import walk
        from memwatch.heapdump.writer import Rows
        Rows.most_edges, walk.EDGES_AT_ONCE = 400_000, 20_000
        kept = [None] * 2_000_000
    """
    loaded, _ = dumped(code, way, tmp_path)
    assert loaded.end.counts["edges"] <= 400_000
    assert not loaded.end.complete


def test_a_size_that_no_object_has_is_not_believed(way: str, tmp_path: Path) -> None:
    code = """
        import ctypes
        large = bytearray(8)
        allocated = ctypes.c_ssize_t.from_address(id(large) + 24)  # what a damaged object says
        before, allocated.value = allocated.value, 1 << 50
        said = id(large)

        def end():
            allocated.value = before
    """
    loaded, address = dumped(code, way, tmp_path)
    assert loaded.objects[address].size < 1_000
    assert loaded.end.complete


def test_a_class_with_the_size_of_another_is_measured_as_an_object(way: str, tmp_path: Path) -> None:
    code = """
        import collections

        collections.UserDict.__sizeof__ = set.__sizeof__  # which reads a set

        class Derived(collections.UserDict):
            pass

        kept = [collections.UserDict(), Derived()]
        said = [[id(each), object.__sizeof__(each)] for each in kept]
    """
    loaded, sizes = dumped(code, way, tmp_path)
    assert loaded.end.complete
    for address, size in sizes:
        assert size <= loaded.objects[address].size <= size + 400


def test_a_line_below_the_first_is_not_known(way: str, tmp_path: Path) -> None:
    code = """
        import ast

        tree = ast.parse("def generate():\\n    yield 1")
        for node in ast.walk(tree):
            if hasattr(node, "lineno"):
                node.lineno = node.end_lineno = node.col_offset = node.end_col_offset = -1
        exec(compile(tree, "made", "exec"))
        assert generate.__code__.co_firstlineno < 0
        kept = generate()
        next(kept)
        said = id(kept)
    """
    loaded, address = dumped(code, way, tmp_path)
    assert loaded.end.complete
    assert loaded.names[address] == "generate"


@pytest.mark.skipif(compiled.module is None, reason="the walk through a copy is not compiled here")
def test_what_a_type_returns_from_its_traverse_is_no_error(tmp_path: Path) -> None:
    code = """
        import ctypes, gc

        gc.disable()

        class Odd:
            pass

        kept = Odd()
        traverse = ctypes.c_void_p.from_address(id(Odd) + 184)  # tp_traverse
        before, traverse.value = traverse.value, ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value
        said = id(kept)

        def end():
            traverse.value = before
    """
    loaded, address = dumped(code, "compiled", tmp_path)
    assert loaded.objects[address].type == "__main__.Odd"
    assert loaded.end.complete
