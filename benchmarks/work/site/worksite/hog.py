"""Much memory for a moment."""

import os
import time
from pathlib import Path

MB = float(os.environ.get("WORK_HOG_MB", "300"))
SECONDS = float(os.environ.get("WORK_HOG_MS", "50")) / 1000
_PAGE = 4096


def _resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE // 1024


def take() -> int:
    """KiB by which the resident memory rose while it had them."""
    before = _resident_kib()
    taken = bytearray(int(MB * 2**20))  # of zeros: the system gives the pages when they are written
    taken[::_PAGE] = b"x" * len(range(0, len(taken), _PAGE))
    time.sleep(SECONDS)
    return _resident_kib() - before
