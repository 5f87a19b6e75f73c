"""For containers, which have no curl: 0 when all is well, else 1 with a line on stderr.

``python -m project.healthcheck URL``: the URL answers below 400. ``python -m project.healthcheck FILE SECONDS``: the
file was touched within so many seconds.
"""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

TIMEOUT_S = 4.0


def main(target: str, within_s: str = "") -> int:
    """The exit code; what is wrong goes to stderr."""
    try:
        problem = _stale(Path(target), float(within_s)) if within_s else _silent(target)
    except (OSError, ValueError, urllib.error.HTTPError) as error:
        problem = str(error)
    if problem:
        print(f"{target}: {problem}", file=sys.stderr)  # noqa: T201
    return bool(problem)


def _silent(url: str) -> str:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S):  # noqa: S310 - the container's own URL
        return ""


def _stale(path: Path, within_s: float) -> str:
    age_s = time.time() - path.stat().st_mtime
    return f"touched {age_s:.0f} s ago" if age_s > within_s else ""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
