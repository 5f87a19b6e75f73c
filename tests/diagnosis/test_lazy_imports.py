"""Modules that a program imports lazily (PEP 810, Python 3.15) stay unimported, whatever looks at its heap."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys, time
lazy import xml.dom.minidom
lazy from colorsys import rgb_to_hsv

from memwatch.diagnosis import options
from memwatch.diagnosis.context import Host
from memwatch.diagnosis.cost_meter import Meter
from memwatch.diagnosis.heap_summary import HeapSummaryRecording
from memwatch.diagnosis.referrers import recording as searching
from memwatch.diagnosis.referrers.recording import ReferrersRecording
from memwatch.sampling import Sampler

class Kept: pass
KEPT = [Kept() for _ in range(3_000)]

def run(recording):
    work = recording.run(Meter())
    try:
        while True:
            time.sleep(min(next(work), 0.002))
    except StopIteration as end:
        return end.value

counted = Sampler().sample(census=True).top_objects["__main__.Kept"]
host = Host(apart_s=0)
ask = {"type": "__main__.Kept"}
found = [run(ReferrersRecording(options.referrers(ask), host))]
searching.impossible = lambda: "not in a copy"
found.append(run(ReferrersRecording(options.referrers(ask), host)))
run(HeapSummaryRecording(host))
lazy = [type(globals()[name]).__name__ for name in ("xml", "rgb_to_hsv")]
imported = [name for name in ("xml.dom.minidom", "colorsys") if name in sys.modules]
print(json.dumps([counted, [each.to_dict()["chains"][0]["path"][0] for each in found], lazy, imported]))
"""


@pytest.mark.skipif(sys.version_info < (3, 15), reason="lazy imports came with Python 3.15")
def test_no_lazy_import_is_carried_out() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    counted, holders, lazy, imported = json.loads(done.stdout)
    assert counted == 3_000
    assert holders == ["__main__.KEPT (list, 3,000 entries)"] * 2, "in a copy, and within the process"
    assert lazy == ["lazy_import"] * 2
    assert imported == []
