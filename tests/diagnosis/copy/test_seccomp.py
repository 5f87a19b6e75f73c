"""A process under a seccomp filter that refuses to fork it: with an error, or by ending it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from memwatch.diagnosis import options
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.copy import parent, seccomp
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap_dump.recording import HeapDumpRecording

pytestmark = pytest.mark.skipif(parent.impossible() is not None, reason="no copy of a process can be had here")

PROGRAM = """
import ctypes, os, struct, sys
from memwatch import dump_heap
from memwatch.diagnosis.copy import cloning
from memwatch.heapdump.format import HeapDumpError

action, inherited, file = int(sys.argv[1]), sys.argv[2] == "inherited", sys.argv[3]
number = cloning.NUMBERS[os.uname().machine]
steps = [  # of the system call clone without flags
    (0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 16), (0x15, 0, 1, 0), (0x06, 0, 0, action),
    (0x06, 0, 0, 0x7FFF0000),
]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0, "no new privileges"
wanted = Filter(len(steps), ctypes.addressof(code))
if prctl(22, 2, ctypes.byref(wanted), 0, 0) != 0:
    print("no filter can be had here")
    sys.exit()
if inherited and (child := os.fork()):
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
try:
    print("written", dump_heap(file).complete, flush=True)
except HeapDumpError as error:
    print(error, flush=True)
"""
KILL_PROCESS, TRAP, REFUSE, ALLOW = 0x80000000, 0x00030000, 0x00050001, 0x7FFF0000


def said(folder: Path, action: int, how: str) -> str:
    """What the program says, which lives to its end."""
    words = [sys.executable, "-c", PROGRAM, str(action), how, str(folder / "a.heap")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, env=environment, check=False)
    assert done.returncode != -signal.SIGSYS, "the filter has ended it"
    assert done.returncode == 0, done.stderr
    if "no filter can be had" in done.stdout:
        pytest.skip("no seccomp filter can be set up here")
    return done.stdout


@pytest.mark.parametrize("action", [KILL_PROCESS, TRAP, REFUSE])
def test_a_filter_of_the_program_alone_is_not_tried(tmp_path: Path, action: int) -> None:
    assert "seccomp filter, which may end a process that forks" in said(tmp_path, action, "own")
    assert not list(tmp_path.iterdir())


def test_a_filter_that_answers_with_an_error_is_a_reason(tmp_path: Path) -> None:
    assert "the system refuses to fork (Operation not permitted)" in said(tmp_path, REFUSE, "inherited")
    assert not list(tmp_path.iterdir())


def test_the_filter_of_a_container_is_no_obstacle(tmp_path: Path) -> None:
    assert "written True" in said(tmp_path, ALLOW, "inherited")


@pytest.mark.parametrize(
    ("own", "parents", "firsts", "refused"),
    [
        ((0, 0), (0, 0), (0, 0), False),
        ((2, 1), (2, 1), (0, 0), False),
        ((2, 1), (0, 0), (2, 1), False),
        ((2, 2), (2, 1), (2, 1), True),
        ((2, 1), (0, 0), (0, 0), True),
        ((2, 1), None, None, True),
        (None, None, None, False),
    ],
)
def test_whose_filter_it_is(
    tmp_path: Path, own: tuple[int, int] | None, parents: tuple[int, int] | None, firsts: tuple[int, int] | None,
    refused: bool,
) -> None:  # fmt: skip
    for name, found in (("self", own), (str(os.getppid()), parents), ("1", firsts)):
        if found is not None:
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "status").write_text(f"Name:\tx\nSeccomp:\t{found[0]}\nSeccomp_filters:\t{found[1]}\n")
    assert (seccomp.may_kill(str(tmp_path)) is not None) is refused


def test_a_recording_without_a_copy_says_what_can_be_recorded_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "impossible", lambda: "the test wants it so")
    recording = HeapDumpRecording(options.heap_dump({}), Host())
    with pytest.raises(Refused, match="the test wants it so; record referrers or a heap summary"):
        next(recording.run(Meter()))
