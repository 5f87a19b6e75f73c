"""Makes something of one heap dump, in an interpreter of its own: ``analyse_heap.py FORM FOLDER [TYPE …]``.

The folder has ``dump.heap`` and gets ``made``; without its file ``lock`` the process ends.

Who sent the dump is not proven. So this runs with limits on memory, CPU time and what it may write, and an empty
environment.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

CPU_S = 300
FILE_BYTES = 512 * 1024**2
ADVICE = "download the dump, and read it with memwatch heap report where there is more"


LONGEST_S = 900.0
"""Wall time."""


def make(form: str, folder: Path, types: Sequence[str] = ()) -> int:
    """Write ``made``, and before that ``percent`` at each step; an analysis has the paths of these types.

    Raises ``HeapDumpError`` where the file is no dump.
    """
    from memwatch.heapdump.analysis.heap import Heap  # noqa: PLC0415 - under the limits only
    from memwatch.heapdump.analysis.result import analysis_of  # noqa: PLC0415
    from memwatch.heapdump.export.heapsnapshot import write_heapsnapshot  # noqa: PLC0415
    from memwatch.heapdump.export.tables import write_csv  # noqa: PLC0415
    from memwatch.heapdump.report import html  # noqa: PLC0415

    def report(percent: int) -> None:
        (folder / "percent").write_text(str(percent), encoding="ascii")

    try:
        heap = Heap.open(folder / "dump.heap", report)
    finally:
        (folder / "dump.heap").unlink(missing_ok=True)  # who asked may never come for what is made
    with (folder / "part").open("w", encoding="utf-8", errors="backslashreplace") as file:
        match form:
            case "heapsnapshot":
                write_heapsnapshot(heap.graph, file)
            case "csv":
                write_csv(heap, file)
            case "html":
                file.write(html.report(analysis_of(heap, report)))
            case _:
                json.dump(analysis_of(heap, report, types), file)
    (folder / "part").rename(folder / "made")
    return 0


def main(form: str, folder: Path, types: Sequence[str]) -> int:
    """Under limits, and only as long as the folder is there."""
    from memwatch.services.recordings.render_flamegraph import confine  # noqa: PLC0415 - found by now

    lock, until = folder / "lock", time.monotonic() + LONGEST_S

    def wanted() -> bool:
        if time.monotonic() > until:
            os.write(2, f"it took longer than {LONGEST_S:.0f} seconds: {ADVICE}\n".encode())
            return False
        return lock.exists()

    confine(cpu_s=CPU_S, file_bytes=FILE_BYTES, advice=ADVICE, wanted=wanted)
    return make(form, folder, types)


if __name__ == "__main__":
    package = Path(__file__).parents[2]
    spec = importlib.util.find_spec("memwatch")
    if spec is None or spec.origin is None or Path(spec.origin).parent != package:
        sys.path.insert(0, str(package.parent))  # not installed: isolated, an interpreter does not look around
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
