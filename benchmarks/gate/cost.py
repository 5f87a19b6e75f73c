"""What the plug-in costs: start-up without a use, and ``--memwatch=all`` over a suite of 5,000 tests.

``python -m benchmarks.gate.cost``. CPU seconds of the children, the least of some runs taken in turns, so that a busy
machine matters little. It ends with 1 where the start takes over 10 ms more, or the suite over 10 %.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.leaks.environments import ROOT

MOST_START_S, MOST_SHARE = 0.010, 0.10
_SUITE = """
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_it(number):
    kept = [{{"number": each}} for each in range(200)]
    assert len(kept) == 200
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate.cost", description=__doc__)
    parser.add_argument("--tests", type=int, default=5_000)
    parser.add_argument("--starts", type=int, default=15)
    parser.add_argument("--suites", type=int, default=3)
    options = parser.parse_args()
    plugin = ["-p", "memwatch.pytest_plugin"]
    with tempfile.TemporaryDirectory() as folder:
        empty, suite = Path(folder, "test_empty.py"), Path(folder, "test_suite.py")
        empty.touch()
        suite.write_text(_SUITE.format(tests=options.tests))
        bare, used = _least(options.starts, [[str(empty)], [*plugin, str(empty)]])
        start_s = used - bare
        print(f"start: {bare * 1e3:.0f} ms without, {used * 1e3:.0f} ms with: {start_s * 1e3:+.1f} ms")
        without, loaded, everything = _least(
            options.suites, [[str(suite)], [*plugin, str(suite)], [*plugin, "--memwatch=all", str(suite)]]
        )
        share = everything / without - 1
        print(
            f"{options.tests:,} tests: {without:.2f} s without, {loaded:.2f} s with ({loaded / without - 1:+.1%}), "
            f"{everything:.2f} s with --memwatch=all ({share:+.1%})"
        )
    return int(start_s > MOST_START_S or share > MOST_SHARE)


def _least(times: int, variants: list[list[str]]) -> list[float]:
    found: list[list[float]] = [[] for _ in variants]
    for _ in range(times):
        for arguments, seconds in zip(variants, found, strict=True):
            seconds.append(_cpu_s(arguments))
    return [min(seconds) for seconds in found]


def _cpu_s(arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", *arguments]
    own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, env=kept | own, stdout=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
