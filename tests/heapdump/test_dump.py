"""A heap dump of a process: what it says of objects, and what it leaves alone."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from memwatch import dump_heap
from memwatch.diagnosis.context import Host
from memwatch.diagnosis.copy import parent
from memwatch.diagnosis.copy.child import NICENESS
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap_dump import compiled
from memwatch.diagnosis.heap_dump import dump as dumping
from memwatch.heapdump.format import NONE, Edge, HeapDumpError, Root
from tests.heapdump import program
from tests.heapdump.loading import Loaded, load

pytestmark = pytest.mark.skipif(parent.impossible() is not None, reason="no copy of a process can be had here")


class Dumped:
    """A dump of the program, and what the program says."""

    def __init__(self, folder: Path, *words: str, compiled: bool = True) -> None:
        file = folder / "all.heap"
        command = [sys.executable, program.__file__, str(file), *words]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        environment["MEMWATCH_HEAP_WALK"] = "on" if compiled else "off"
        subprocess.run(command, check=True, timeout=100, env=environment)
        said = json.loads(Path(f"{file}.json").read_text())
        self.ids: dict[str, int] = said["ids"]
        self.entries: dict[str, list[int]] = said["entries"]
        self.said: dict[str, Any] = said
        self.loaded: Loaded = load(file)

    def to(self, name: str, kind: Edge, edge: str = "") -> list[int]:
        """What a planted object refers to in this way."""
        return self.loaded.to(self.ids[name], kind, edge)


@pytest.fixture(scope="module", params=["compiled", "python"])
def dumped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dumped:
    """One dump for most tests."""
    if request.param == "compiled" and compiled.module is None:
        pytest.skip("the walk through a copy is not compiled here")
    return Dumped(tmp_path_factory.mktemp("dump"), compiled=request.param == "compiled")


def test_instances_name_their_attributes(dumped: Dumped) -> None:
    ids = dumped.ids
    assert dumped.loaded.objects[ids["order"]].type == "__main__.Order"
    assert dumped.to("order", Edge.ATTRIBUTE, "lines") == [ids["order.lines"]]
    assert dumped.to("order", Edge.ATTRIBUTE, "text") == [ids["order.text"]]
    for order in ("first order", "order"):
        assert dumped.to(order, Edge.ATTRIBUTE, "nothing") == [ids["none"]]
    assert dumped.to("slotted", Edge.ATTRIBUTE, "right") == [ids["slotted.right"]]
    assert dumped.to("registry", Edge.ATTRIBUTE, "owner") or dumped.to("registry", Edge.DICT)


def test_a_dict_that_python_has_made_lies_between(dumped: Dumped) -> None:
    lines = [dumped.ids["with_dict.lines"]]
    if sys.version_info[:2] == (3, 13):
        assert dumped.to("with_dict", Edge.ATTRIBUTE, "lines") == lines
        assert dumped.loaded.objects[dumped.ids["of_dict"]].edges == []
        return
    assert dumped.to("with_dict", Edge.DICT) == [dumped.ids["of_dict"]]
    assert dumped.to("of_dict", Edge.ATTRIBUTE, "lines") == lines


def test_containers_say_how_they_hold_their_entries(dumped: Dumped) -> None:
    entries = dumped.entries
    assert dumped.to("orders", Edge.INDEX) == entries["orders"]
    assert dumped.to("queue", Edge.INDEX) == entries["queue"]
    assert sorted(dumped.to("members", Edge.MEMBER)) == sorted(entries["members"])
    assert dumped.to("by_key", Edge.KEY) == entries["keys"]
    assert dumped.to("by_key", Edge.VALUE) == entries["values"]
    assert dumped.to("registry", Edge.VALUE) == entries["registry"]
    assert dumped.loaded.objects[dumped.ids["orders"]].length == 100


def test_closures_generators_frames_and_modules_name_what_they_hold(dumped: Dumped) -> None:
    ids, loaded = dumped.ids, dumped.loaded
    assert dumped.to("enclosed", Edge.CELL, "kept") == [ids["cell"]]
    assert dumped.to("cell", Edge.OTHER) == [ids["kept"]]
    assert len(dumped.to("suspended", Edge.LOCAL, "of_generator")) == 1
    assert loaded.names[ids["suspended"]] == "Planted.generator"
    ((address, _, _, place, _line, thread),) = [root for root in loaded.roots if root[1:3] == (Root.FRAME, "main")]
    assert (place, thread) == (program.__file__, "MainThread")
    assert loaded.to(address, Edge.LOCAL, "of_frame") == [ids["of_frame"]]
    assert [root[3] for root in loaded.roots if root[0] == ids["globals"]] == [program.__file__]
    assert dumped.to("globals", Edge.GLOBAL, "RAN") == [ids["RAN"]]
    assert loaded.names[ids["remembered"]] == "__main__.remembered"
    assert loaded.names[ids["Order"]] == "__main__.Order"
    assert dumped.to("Order", Edge.DICT)


def test_weak_references_are_marked(dumped: Dumped) -> None:
    assert dumped.to("weak", Edge.WEAK) == [dumped.ids["slotted"]]


def test_sizes_are_those_of_python(dumped: Dumped) -> None:
    found = {name: dumped.loaded.objects[dumped.ids[name]].size for name in dumped.said["sizes"]}
    assert found == dumped.said["sizes"]


def test_references_are_those_of_the_program(dumped: Dumped) -> None:
    for name, expected in (("order.lines", 1), ("order.text", 1), ("by_key customer", 1), ("slotted", 2)):
        assert dumped.loaded.objects[dumped.ids[name]].references == expected, name


def test_equal_texts_have_equal_hashes_and_no_contents_are_stored(dumped: Dumped) -> None:
    first, second, other = (dumped.loaded.objects[dumped.ids[name]] for name in ("twice 0", "twice 1", "order.text"))
    assert first.hash == second.hash != 0
    assert other.hash not in (0, first.hash)
    assert not [text for text in dumped.loaded.strings if "secret content" in text or "customer" in text]


def test_no_code_of_the_program_runs(dumped: Dumped) -> None:
    assert dumped.said["ran"] == []
    found = dumped.loaded.objects[dumped.ids["lying"]]
    assert found.type == "__main__.Lying"
    assert found.size < 1_000
    assert len(dumped.to("lying", Edge.ATTRIBUTE, "kept")) == 1


def test_what_is_referred_to_is_there(dumped: Dumped) -> None:
    objects = dumped.loaded.objects
    missing = {edge[0] for found in objects.values() for edge in found.edges} - objects.keys()
    assert len(missing) < 0.001 * len(objects)  # what was made for the dump
    assert dumped.loaded.end.complete
    assert dumped.said["objects"] == len(objects)


def test_keys_are_named_where_asked_for_and_frozen_objects_are_there(tmp_path: Path) -> None:
    dumped = Dumped(tmp_path, "keys", "freeze")
    assert dumped.to("by_key", Edge.VALUE, "customer") == [dumped.ids["by_key customer"]]
    assert len(dumped.to("by_key", Edge.VALUE)) == 2
    assert "shop.customer" not in dumped.loaded.strings
    assert dumped.said["frozen"] > 0
    assert dumped.ids["slotted"] in dumped.loaded.objects


def test_two_hundred_threads_are_named(tmp_path: Path) -> None:
    found = Dumped(tmp_path, "threads").loaded
    waiting = [root for root in found.roots if root[1] == Root.FRAME and root[5].startswith("waits-")]
    assert len({root[5] for root in waiting}) == 200
    named = [found.to(root[0], Edge.LOCAL, "of_thread") for root in waiting if root[2].endswith("main.<locals>.wait")]
    assert list(map(len, named)) == [1] * 200
    assert all(root[4] != NONE for root in waiting)


def no_file(folder: Path) -> bool:
    """Whether nothing is left."""
    return not list(folder.iterdir())


def test_a_dump_that_grows_too_large_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(HeapDumpError, match=r"more than 0 MB after [0-9,]+ objects: allow more"):
        dump_heap(tmp_path / "large.heap", max_mb=0.1)
    assert no_file(tmp_path)


def test_without_room_it_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumping, "OWN_MB", 1e9)
    with pytest.raises(HeapDumpError, match="memory"):
        dump_heap(tmp_path / "refused.heap")
    assert no_file(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "full.heap.part").touch()
    before, opened = children(), os.open

    def full(path: Any, flags: int, *rest: Any) -> int:
        is_ours = "full.heap" in str(path)
        return opened("/dev/full", flags & ~os.O_EXCL) if is_ours else opened(path, flags, *rest)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(HeapDumpError, match=os.strerror(errno.ENOSPC)):
        dump_heap(tmp_path / "full.heap")
    assert no_file(tmp_path)
    assert children() == before


def test_a_missing_folder_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(HeapDumpError, match="cannot be written"):
        dump_heap(tmp_path / "nowhere" / "x.heap")


def children() -> set[int]:
    """Of this process; servers that other tests share may be among them."""
    return {child.pid for child in psutil.Process().children()}


def while_dumping(path: Path, act: Callable[[psutil.Process], None]) -> str:
    """Do something to the copy as soon as it is there; the error."""
    before = children()

    def watch() -> None:
        while not done.wait(0.001):
            for child in psutil.Process().children():
                if child.pid not in before:
                    act(child)
                    return

    done = threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        dump_heap(path)
    except HeapDumpError as error:
        return str(error)
    finally:
        done.set()
        watcher.join()
    return ""


def test_a_copy_that_is_killed_leaves_no_file(tmp_path: Path) -> None:
    assert "was killed" in while_dumping(tmp_path / "x.heap", lambda copy: copy.send_signal(signal.SIGKILL))
    assert no_file(tmp_path)


def test_the_copy_dies_first_and_takes_little_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memwatch.diagnosis.copy.child.NICENESS", NICENESS)
    seen: list[tuple[str, int]] = []
    pids: list[int] = []

    def look(copy: psutil.Process) -> None:
        pids.append(copy.pid)
        for _ in range(2_000):
            with contextlib.suppress(OSError, psutil.Error):
                seen.append((Path(f"/proc/{copy.pid}/oom_score_adj").read_text().strip(), copy.nice()))
            if seen and seen[-1][0] == "1000" and seen[-1][1] > psutil.Process().nice():
                return

    assert while_dumping(tmp_path / "x.heap", look) == ""
    assert seen[-1] == ("1000", min(19, 10 + psutil.Process().nice()))
    with pytest.raises(ChildProcessError):
        os.waitpid(pids[0], os.WNOHANG)


def test_a_process_that_grpc_is_loaded_in_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc._cython.cygrpc", sys)
    with pytest.raises(HeapDumpError, match="gRPC"):
        dump_heap(tmp_path / "x.heap")
    with pytest.raises(HeapDumpError, match="more than"):  # allowed, it goes on
        dump_heap(tmp_path / "x.heap", any_driver=True, max_mb=0.01)


def test_a_heap_with_more_objects_than_may_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumping, "MOST_OBJECTS", 1)
    assert not dump_heap(tmp_path / "x.heap").complete
    found = load(tmp_path / "x.heap")
    assert not found.end.complete
    assert len(found.objects) > 1


def test_a_process_forked_meanwhile_that_lets_go_of_the_file_adds_nothing_to_it(tmp_path: Path) -> None:
    file = (tmp_path / "a.heap").open("w+b")
    dump = dumping.Dump(file, Host(), keys=False, most_mb=64, any_driver=True)
    steps, sizes = dump.run(Meter()), set[int]()
    with contextlib.suppress(StopIteration):
        while True:
            time.sleep(next(steps))
            if len(sizes) < 4 and dump.written.bytes not in sizes:
                sizes.add(dump.written.bytes)
                child = os.fork()
                if child == 0:
                    file.close()
                    os._exit(0)
                os.waitpid(child, 0)
    assert len(sizes) > 1
    file.close()
    assert load(tmp_path / "a.heap").end.complete


def test_a_part_file_of_somebody_else_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "a.heap.part").touch()
    (tmp_path / "a.heap.part").chmod(0o666)
    with (tmp_path / "a.heap.part").open("rb") as theirs:
        dump_heap(tmp_path / "a.heap")
        assert theirs.read() == b""
    assert (tmp_path / "a.heap").stat().st_mode & 0o077 == 0
