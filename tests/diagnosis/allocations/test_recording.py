"""Allocation sites: the line that allocates what stays, within bounds, and nothing left running."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import time
import tracemalloc
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from memwatch.diagnosis import options
from memwatch.diagnosis.allocations import recording, sites, traced
from memwatch.diagnosis.allocations.recording import AllocationsRecording
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import cloning, parent, process
from memwatch.diagnosis.cost_meter import Meter

QUOTE = f"{__name__}.Quote"
HERE = __file__


class Quote:
    """What leaks."""

    def __init__(self, number: int) -> None:
        self.basket = [number] * 40
        self.number = number


class Slotted:
    """As lean as can be."""

    __slots__ = ("number",)


def record(each_step: Callable[[], None], **given: Any) -> dict[str, Any]:
    """The result of a recording during which ``each_step`` is called between its steps."""
    recording = AllocationsRecording(options.allocations({"duration_s": 0.6, **given}), Host())
    work = recording.run(Meter())
    gc.disable()
    try:
        while True:
            time.sleep(min(0.02, next(work)))
            each_step()
    except StopIteration as end:
        found: dict[str, Any] = end.value.to_dict()
        return found
    finally:
        gc.enable()
        assert not tracemalloc.is_tracing()


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(Path(HERE).read_text().splitlines(), 1) if text in line)


def test_the_line_that_allocates_is_named_with_its_function_and_its_source() -> None:
    kept: list[Quote] = []

    def leak() -> None:
        kept.extend(Quote(number) for number in range(300))  # where instances are made

    result = record(leak, type=QUOTE, frames=2)
    sites = [site for site in result["sites"] if site["file"] == HERE]
    (basket,) = [site for site in sites if site["line"] == line_of("self.basket = [")]
    assert basket["function"] == "Quote.__init__"
    assert basket["code"] == "self.basket = [number] * 40"
    assert basket["of_type"]
    assert basket["count"] >= 300
    assert basket["size_growth_kb_per_min"] > 0
    assert basket["traceback"][0].startswith(f"{HERE}:")
    made = [site for site in sites if site["line"] == line_of("# where instances are made")]
    assert any(site["of_type"] for site in made), "the caller of the class allocates its instances"
    assert result["sites"][0]["file"] == HERE, "the fastest growing first"
    assert result["frames"] == 2
    assert kept


def test_instances_with_slots_lead_to_their_line_too() -> None:
    kept: list[Slotted] = []

    def leak() -> None:
        kept.extend(Slotted() for _ in range(300))  # where slotted ones are made

    result = record(leak, type=f"{__name__}.Slotted")
    assert [site["line"] for site in result["sites"] if site["of_type"]] == [line_of("# where slotted ones are made")]


def test_what_has_stopped_growing_comes_after_what_still_grows() -> None:
    once: list[Any] = []
    kept: list[Any] = []

    def leak() -> None:
        if not once:
            once.extend([number] for number in range(5000))  # fills up at once
        kept.extend([number] for number in range(50))  # goes on growing

    result = record(leak, duration_s=3)  # the look in its middle is to end before it
    lines = [site["line"] for site in result["sites"] if site["file"] == HERE]
    assert lines.index(line_of("# goes on growing")) < lines.index(line_of("# fills up at once"))


def test_it_ends_when_too_much_is_traced_and_says_so() -> None:
    kept: list[bytes] = []
    result = record(lambda: kept.append(bytes(2_000_000)), duration_s=300, max_traced_mb=1)
    assert result["seconds"] < 120
    assert "1 are allowed" in result["notes"][0]
    assert result["traced_mb"] >= 1


def test_a_program_that_traces_itself_is_left_alone() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="PYTHONTRACEMALLOC"):
            AllocationsRecording(options.allocations({}), Host())
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_a_program_that_memray_follows_is_left_alone(tmp_path: Path) -> None:
    memray = pytest.importorskip("memray")
    with memray.Tracker(tmp_path / "capture"), pytest.raises(Refused, match="memray is tracking"):
        AllocationsRecording(options.allocations({}), Host())
    AllocationsRecording(options.allocations({}), Host())


def test_traces_that_the_program_has_stopped_are_not_made_up() -> None:
    with pytest.raises(Refused, match="stopped by the program"):
        record(tracemalloc.stop)


def test_a_copy_that_fails_after_tracing_has_ended_is_not_blamed_on_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(_work: Any, _host: Host, meter: Meter) -> Generator[float, None, bytes]:
        began = meter.elapsed_s
        while tracemalloc.is_tracing() and meter.elapsed_s - began < 5:
            yield 0.05
        raise parent.NotForked("the copy of the process was killed")

    monkeypatch.setattr(recording, "in_child", failing)
    with pytest.raises(Refused, match="the copy of the process was killed; record again later"):
        record(lambda: None, duration_s=1)
    with pytest.raises(Refused, match="tracing had ended"):
        traced.added_up("", ended=True)


def test_a_recording_that_is_given_up_stops_tracing() -> None:
    work = AllocationsRecording(options.allocations({"duration_s": 60}), Host()).run(Meter())
    next(work)
    assert tracemalloc.is_tracing()
    work.close()
    assert not tracemalloc.is_tracing()


def test_a_copy_that_is_faster_than_the_process_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    cloned = cloning.clone

    def held_up(*arguments: Any) -> int:
        pid = cloned(*arguments)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | process._WAIT_FOR_CLONES)
        return pid

    monkeypatch.setattr(cloning, "clone", held_up)
    kept: list[Any] = []
    result = record(lambda: kept.append(Quote(len(kept))), type=QUOTE)
    assert any(site["of_type"] for site in result["sites"])


def test_a_type_without_an_instance_is_noted_and_the_sites_are_there_all_the_same() -> None:
    kept: list[Any] = []
    result = record(lambda: kept.extend([number] for number in range(100)), type="nowhere.Nothing")
    assert "nowhere.Nothing" in result["notes"][0]
    assert result["sites"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_meanwhile_does_not_trace_and_the_parent_goes_on() -> None:
    work = AllocationsRecording(options.allocations({"duration_s": 60}), Host()).run(Meter())
    next(work)
    child = os.fork()
    if child == 0:
        os._exit(int(tracemalloc.is_tracing()))
    assert os.waitpid(child, 0)[1] == 0
    assert tracemalloc.is_tracing()
    work.close()
    assert not tracemalloc.is_tracing()


def test_the_hosts_memory_of_source_files_is_left_as_it_was() -> None:
    import linecache

    before = dict(linecache.cache)
    kept: list[Any] = []
    record(lambda: kept.extend([number] for number in range(100)))
    assert dict(linecache.cache) == before
    assert sys.modules["linecache"] is linecache


def test_a_librarys_line_is_told_with_the_line_of_the_program_that_leads_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lib" / "site-packages" / "orm_under_test.py"
    package.parent.mkdir(parents=True)
    package.write_text(
        "class Row:\n    def __init__(self):\n        self.values = [0] * 20\n\n"
        "def made():\n    return Row()\n\ndef get():\n    return made()\n"
    )
    monkeypatch.syspath_prepend(str(package.parent))
    orm = importlib.import_module("orm_under_test")
    kept: list[Any] = []

    def leak() -> None:
        kept.extend(orm.get() for _ in range(50))  # the program's own call

    result = record(leak, type="orm_under_test.Row", duration_s=0.6)
    made = next(site for site in result["sites"] if site["of_type"])
    assert made["file"] == str(package)
    assert made["called_from"].startswith(f"{HERE}:{line_of('# the program' + chr(39) + 's own call')} in ")
    assert "kept.extend(orm.get()" in made["caller_code"]
    assert result["frames"] == 1
    assert len(made["traceback"]) > 1
    assert not result["notes"]
    plain = record(leak, type="orm_under_test.Row", frames=1)
    assert {site["called_from"] for site in plain["sites"]} == {""}, "one frame was asked for"


def test_the_programs_own_line_is_not_traced_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Quote] = []
    depths: list[int] = []
    start = tracemalloc.start
    monkeypatch.setattr(tracemalloc, "start", lambda depth: depths.append(depth) or start(depth))
    record(lambda: kept.extend(Quote(number) for number in range(100)), type=QUOTE)
    assert depths == [1]


@pytest.mark.parametrize(
    ("file", "library"),
    [
        ("/opt/venv/lib/python3.11/site-packages/django/db/models/base.py", True),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", True),
        ("/usr/lib/python3.11/json/decoder.py", True),
        ("<frozen importlib._bootstrap>", True),
        ("/srv/shop/views.py", False),
        ("/srv/library/python_shop/models.py", False),
    ],
)
def test_what_a_library_is_is_told_by_where_its_file_lies(file: str, library: bool) -> None:
    assert sites.is_library(file) is library
