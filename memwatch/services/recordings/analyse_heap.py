"""Makes something of one heap dump, in an interpreter of its own: ``analyse_heap.py FORM DUMP OUTPUT [TYPE …]``.

Who sent the dump is not proven. So this runs with limits on memory, CPU time and what it may write, and an empty
environment.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

CPU_S = 300
FILE_BYTES = 512 * 1024**2
ADVICE = "download the dump, and read it with memwatch heap report where there is more"


def make(form: str, dump: str, output: str, *types: str) -> int:
    """Write it; in an analysis are the paths of these types. Raises ``HeapDumpError`` where the file is no dump."""
    from memwatch.heapdump.analysis.heap import Heap  # noqa: PLC0415 - under the limits only
    from memwatch.heapdump.analysis.result import analysis_of  # noqa: PLC0415
    from memwatch.heapdump.export.heapsnapshot import write_heapsnapshot  # noqa: PLC0415
    from memwatch.heapdump.export.tables import write_csv  # noqa: PLC0415
    from memwatch.heapdump.report import html  # noqa: PLC0415

    heap = Heap.open(dump)
    with Path(output).open("w", encoding="utf-8", errors="backslashreplace") as file:
        match form:
            case "heapsnapshot":
                write_heapsnapshot(heap.graph, file)
            case "csv":
                write_csv(heap, file)
            case "html":
                file.write(html.report(analysis_of(heap)))
            case _:
                json.dump(analysis_of(heap, types), file)
    return 0


if __name__ == "__main__":
    package = Path(__file__).parents[2]
    spec = importlib.util.find_spec("memwatch")
    if spec is None or spec.origin is None or Path(spec.origin).parent != package:
        sys.path.insert(0, str(package.parent))  # not installed: isolated, an interpreter does not look around
    from memwatch.services.recordings.render_flamegraph import confine

    confine(cpu_s=CPU_S, file_bytes=FILE_BYTES, advice=ADVICE)
    sys.exit(make(*sys.argv[1:]))
