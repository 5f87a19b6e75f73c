"""Python 3.12.0 to 3.12.5: who asks ``_asyncio`` what it refers to makes the next collection endless."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import psutil
import pytest

TIME_LIMIT_S = 120
PROGRAM = """
import asyncio, gc, sys
from memwatch.diagnosis import options
from memwatch.diagnosis.context import Host
from memwatch.diagnosis.copy import parent
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap_summary import HeapSummaryRecording
from memwatch.diagnosis.referrers import recording

class Kept: ...

async def work():
    for _ in range(50):
        await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(20)))

KEPT = [Kept() for _ in range(50)]
asyncio.run(work())  # fills the free list
if sys.argv[1] == "within":
    parent.impossible = recording.impossible = lambda: "the test wants it so"
gc.disable()
asked = options.referrers({"type": "__main__.Kept", "values": True})
for work in (recording.ReferrersRecording(asked, Host(apart_s=0)), HeapSummaryRecording(Host())):
    running = work.run(Meter())
    try:
        while True:
            next(running)
    except StopIteration as end:
        found = end.value
        print(getattr(found, "holder", None))
gc.enable()
for _ in range(3):
    gc.collect()
print("collected")
"""

ASKING = """
import _asyncio, asyncio, gc, sys
from memwatch.diagnosis.referrers.nodes import Examiner
from memwatch.diagnosis.structure.garbage import Unreachable

async def work():
    for _ in range(50):
        await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(20)))

asyncio.run(work())  # fills the free list
gc.disable()
if sys.argv[1] == "a-holder":
    Examiner(most_dicts=None).examine(_asyncio, frozenset({id(vars(_asyncio))}))
else:
    Unreachable()
gc.enable()
for _ in range(3):
    gc.collect()
print("collected")
"""


def affected() -> str | None:
    """An interpreter of these versions."""
    folders = sorted((Path.home() / ".pyenv" / "versions").glob("3.12.[0-5]/bin/python"))
    for found in (*map(str, folders), shutil.which("python3.12")):
        if found:
            told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
            if re.search(r"3\.12\.[0-5]$", told.strip()):
                return found
    return None


def run(program: str, what: str) -> str:
    """What it prints in such an interpreter."""
    python = affected()
    assert python is not None
    installed = Path(psutil.__file__).parents[1]
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(installed)])
    done = subprocess.run(
        [python, "-c", program, what.replace(" ", "-")],
        capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(affected() is None, reason="no Python 3.12.0 to 3.12.5 is installed")
@pytest.mark.parametrize("where", ["in a copy", "within"])
def test_a_recording_leaves_a_program_that_awaited_futures_able_to_collect(where: str) -> None:
    said = run(PROGRAM, where)
    assert "__main__.KEPT (list, 50 entries)" in said
    assert said.splitlines()[-1] == "collected"


@pytest.mark.skipif(affected() is None, reason="no Python 3.12.0 to 3.12.5 is installed")
@pytest.mark.parametrize("what", ["a holder", "garbage"])
def test_what_looks_at_single_objects_leaves_it_able_to_collect(what: str) -> None:
    assert run(ASKING, what) == "collected\n"
