"""What snapshots copy in a forked worker that shares a frozen heap with its parent: next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.sampling.ways import need_walk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="smaps_rollup is Linux")

FORKED = """
import gc, os, sys
from types import ModuleType
from memwatch.sampling import Sampler
from memwatch.sampling.module_names import module_level_names

for number in range(20):
    module = sys.modules[f"made_{number}"] = ModuleType(f"made_{number}")
    vars(module).update((f"name_{i}", [i]) for i in range(10_000))

def copied_kb():
    with open("/proc/self/smaps_rollup") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))

def names():
    module_level_names([id(sys.modules["made_3"].name_7)])

sampler = Sampler()

def snapshots():
    for _ in range(20):
        assert sampler.sample(census=True).total_objects > 200_000

WORK
gc.freeze()
child = os.fork()
if child == 0:
    before = copied_kb()
    WORK
    print(copied_kb() - before, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.parametrize("work", ["names()", "snapshots()"])
def test_a_forked_worker_keeps_sharing_what_is_frozen(work: str) -> None:
    """200,000 lists take 15 MB: a reference to each, or a link between any two, copies them all."""
    need_walk()
    code = FORKED.replace("WORK", work)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    assert int(done.stdout) < 2_500
