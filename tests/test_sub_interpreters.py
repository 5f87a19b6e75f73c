"""Interpreters with a lock of their own, as ``concurrent.futures.InterpreterPoolExecutor`` makes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json
from concurrent.futures import InterpreterPoolExecutor

def work():
    import os
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ["MEMWATCH_AGENT"] = "on"
    import django
    django.setup()
    from memwatch import agent
    from memwatch.sampling import Sampler, isolation
    class Mine: pass
    mine = [Mine() for _ in range(777)]
    snapshot = Sampler().sample(census=True)
    counted = [count for name, count in snapshot.top_objects.items() if name.endswith("Mine")]
    return isolation.ISOLATED, agent.current() is None, counted, snapshot.rss_mb > 1

if __name__ == "__main__":
    from memwatch.sampling import isolation
    with InterpreterPoolExecutor(1) as pool:
        print(json.dumps([isolation.ISOLATED, *pool.submit(work).result()]))
"""


ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="InterpreterPoolExecutor came with Python 3.14")
def test_django_and_memwatch_load_there_and_no_second_agent_starts(tmp_path: Path) -> None:
    """Once psutil and ``_tracemalloc`` load there this fails: then a second agent is to be kept away otherwise."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [False, True, True, [777], True]
