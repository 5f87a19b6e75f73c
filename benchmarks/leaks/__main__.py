"""Every benchmark of verdicts, from shapes to real processes. Ends with 1 where one misses."""

from __future__ import annotations

import argparse
import subprocess
import sys

PARTS: dict[str, list[str]] = {
    "shapes": ["--seeds", "2"],
    "lives": ["--seeds", "2"],
    "garbage": ["--seeds", "2"],
    "days": ["--seeds", "1"],
    "onset": ["--seeds", "2"],
    "verdict_time": ["--seeds", "1"],
    "processes": ["--quick"],
}
"""Each with what makes it quick."""


def main() -> int:
    """``--quick``: two seeds of each shape, and the programs with a tenth of their requests; no targets."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leaks", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    missed = False
    for part, quickly in PARTS.items():
        print(f"== {part}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.leaks.{part}", *(quickly if quick else [])]
        missed |= bool(subprocess.run(command, check=False).returncode)
    return int(missed and not quick)


if __name__ == "__main__":
    sys.exit(main())
