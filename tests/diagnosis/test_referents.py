"""Who asks an object of C what it refers to runs its C code: that it only looks is tried out, and where it harms."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from memwatch.diagnosis.copy import parent
from tests.diagnosis.test_old_pythons import affected

TIME_LIMIT_S = 60
PROGRAM = Path(__file__).with_name("referents_program.py")
REVIVED = "_asyncio answers with a FutureIter that it does not hold"
"""What Python 3.12.0 to 3.12.5 does. memwatch asks no module of C for what it refers to."""
HARMFUL = """
import ctypes, gc, mmap, os, sys
from memwatch.diagnosis import options
from memwatch.diagnosis.context import Host, Refused
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.copy import parent
from memwatch.diagnosis.referrers.recording import ReferrersRecording

class Kept: ...
class Harmful: ...

KEPT = [Harmful()] + [Kept() for _ in range(50)]
parent.LONGEST_S, parent.ASLEEP_S = 3.0 if sys.argv[1] == "loop" else 40.0, 0.1
gc.disable()
gc.collect()
if sys.argv[1] == "loop":
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(bytes.fromhex("ebfe"))  # a jump to itself
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
else:
    address = ctypes.cast(getattr(ctypes.CDLL(None), sys.argv[1]), ctypes.c_void_p).value
ctypes.c_void_p.from_address(id(Harmful) + 184).value = address  # its tp_traverse, on 64 bits
running = ReferrersRecording(options.referrers({"type": "__main__.Kept"}), Host(apart_s=0)).run(Meter())
try:
    while True:
        next(running)
except Refused as refused:
    print(refused, flush=True)
os._exit(0)  # a last collection would ask it, too
"""


def asked(python: str, folder: Path, *fakes: str) -> list[str]:
    """The lines that the program prints. Some types make a file where they are: in the folder."""
    done = subprocess.run(
        [python, "-P", "-W", "ignore", str(PROGRAM), *fakes],
        capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_no_type_of_the_standard_library_does_more_than_answer(tmp_path: Path) -> None:
    *faults, types = asked(sys.executable, tmp_path)
    assert int(types.split()[0]) > 700
    assert faults == ([REVIVED] if (3, 12) <= sys.version_info < (3, 12, 6) else [])


@pytest.mark.parametrize(
    ("fake", "fault"),
    [
        ("keeps", "AtFault changes reference counts"),
        ("foreign", "AtFault answers with a Plain that it does not hold"),
    ],
)
def test_one_that_does_more_is_noticed(fake: str, fault: str, tmp_path: Path) -> None:
    assert fault in asked(sys.executable, tmp_path, fake)


@pytest.mark.skipif(affected() is None, reason="no Python 3.12.0 to 3.12.5 is installed")
def test_python_that_revives_dead_futures_is_noticed(tmp_path: Path) -> None:
    assert REVIVED in asked(affected() or "", tmp_path)


@pytest.mark.skipif(parent.impossible() is not None, reason="no copy of a process can be had here")
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("abort", "the copy of the process crashed (SIGABRT) as its objects were read"),
        ("pause", "4 copies of the process waited for a lock"),
        ("loop", "the copy of the process was ended after"),
    ],
)
def test_what_harms_a_copy_is_not_asked_in_the_process(code: str, reason: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HARMFUL, code],
        capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(reason)
    assert "the process itself is left alone" in done.stdout
