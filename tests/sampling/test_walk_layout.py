"""The compiled walk in an interpreter of another release than the one whose headers it was compiled with."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.sampling.ways import need_walk
from tests.servers import require

SOURCE = Path(__file__).parents[2] / "memwatch" / "sampling" / "_heap_walk.c"
COUNT = """
import json, sys
from importlib import util
spec = util.spec_from_file_location("memwatch.sampling._heap_walk", sys.argv[1])
walk = util.module_from_spec(spec)
spec.loader.exec_module(walk)
class Kept: pass
kept = [Kept() for _ in range(1_234)]
types, counts, *_ = walk.walk(250, 200, 0.0)
print(json.dumps(dict(zip([of.__name__ for of in types], counts))["Kept"]))
"""
HEAD = re.compile(r"\} PyGC_Head[^;]*;")


@pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="the alignment changed within 3.13 alone")
@pytest.mark.parametrize("alignment", ["", "__attribute__((aligned(4)))"])
def test_lists_are_found_where_another_release_of_3_13_aligns_them(tmp_path: Path, alignment: str) -> None:
    need_walk()
    compiler = require("compiler", shutil.which("gcc"), "no gcc")
    headers = Path(sysconfig.get_path("include"))
    shutil.copytree(headers / "internal", tmp_path / "internal")
    changed = tmp_path / "internal" / "pycore_gc.h"
    text, replaced = HEAD.subn(f"}} PyGC_Head {alignment};", changed.read_text())
    assert replaced == 1
    changed.write_text(text)
    module = tmp_path / "_heap_walk.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", f"-I{tmp_path}", f"-I{headers}", str(SOURCE), "-o", str(module)],
        check=True, capture_output=True,
    )  # fmt: skip
    done = subprocess.run([sys.executable, "-c", COUNT, str(module)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == 1_234
