"""Renders one capture of memray, in an interpreter of its own: ``render_flamegraph.py FORM MODE CAPTURE OUTPUT``.

Who sent the capture is not proven, and memray's reader is not written for enemies. So it runs with limits on memory,
CPU time and what it may write, an empty environment, and prints no line of any file that the capture names.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

MEMORY_BYTES = 2 * 1024**3
"""Most bytes of address space: much of it is never used."""
LEAST_BYTES = 96 * 1024**2
"""With less room the capture is not even begun."""
CPU_S = 60
FILE_BYTES = 64 * 1024**2
MAX_FRAMES = 500
ADVICE = "render the capture where there is more"
"""What to do where there is too little memory."""


def room(files: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that this container has left, three quarters of them; the usual bound where it has none."""
    left = MEMORY_BYTES
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            left = min(left, (int((files / limit).read_text()) - int((files / used).read_text())) * 3 // 4)
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return left


def watch(most: int, advice: str = ADVICE, *, wanted: Callable[[], bool] = lambda: True) -> None:
    """End the process when its own memory, resident, is over ``most``: addresses say little of what is used.

    Looked at a hundred times a second, by a thread: what the reader allocates in C is seen as well. It also ends when
    it is no longer ``wanted``.
    """
    page = resource.getpagesize()

    def look() -> None:
        while True:
            if not wanted():
                os._exit(1)
            resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * page
            if resident > most:
                os.write(2, f"it takes more memory than there is here: {advice}\n".encode())
                os._exit(1)
            time.sleep(0.01)

    if Path("/proc/self/statm").exists():
        threading.Thread(target=look, daemon=True).start()


def confine(
    *,
    cpu_s: int = CPU_S,
    file_bytes: int = FILE_BYTES,
    advice: str = ADVICE,
    wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Give up what the work does not need."""
    left = room()
    if left < LEAST_BYTES:
        sys.exit(f"there is too little memory left here: {advice}")
    watch(left, advice, wanted=wanted)
    with contextlib.suppress(OSError):  # the kernel's choice, should the container run out of memory all the same
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    for name, limit in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        _soft, hard = resource.getrlimit(name)
        bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(name, (bound, bound))


def page(mode: str, capture: str, output: str) -> int:
    """memray's own flame graph, with every script and style inside."""
    from memray.commands import main  # noqa: PLC0415 - under the limits only
    from memray.commands.flamegraph import FlamegraphCommand  # noqa: PLC0415

    parser = argparse.ArgumentParser()
    FlamegraphCommand().prepare_parser(parser)
    if "--confidential-files" not in parser.format_help():
        sys.exit("this memray would show lines of files: install memray 1.20 or newer beside the admin")
    arguments = ["flamegraph", "--no-web", "--confidential-files", "all", "--force", "--output", output]
    return int(main([*arguments, *(["--leaks"] if mode == "leaks" else []), capture]) or 0)


def profile(form: str, mode: str, capture: str, output: str) -> int:
    """The stacks for another tool: pprof, speedscope, collapsed."""
    from memray import FileReader  # noqa: PLC0415 - under the limits only

    from memwatch.profiles import profile as stacks  # noqa: PLC0415
    from memwatch.profiles import sources  # noqa: PLC0415
    from memwatch.profiles.forms import FORMS  # noqa: PLC0415

    def samples(reader: FileReader) -> Iterator[stacks.Sample]:
        native = reader.metadata.has_native_traces
        records = (
            reader.get_leaked_allocation_records(merge_threads=True)
            if mode == "leaks"
            else reader.get_high_watermark_allocation_records(merge_threads=True)
        )
        for record in records:
            frames = record.hybrid_stack_trace(MAX_FRAMES) if native else record.stack_trace(MAX_FRAMES)
            stack = tuple(stacks.Frame(*frame) for frame in reversed(frames)) or (stacks.Frame("(unknown)"),)
            yield stacks.Sample(stack, record.n_allocations, record.size)

    with FileReader(capture) as reader:
        began = reader.metadata.start_time
        ended = reader.metadata.end_time or began
        found = stacks.Profile(
            samples=stacks.added_up(samples(reader)),
            name="not freed by the end" if mode == "leaks" else "alive at the peak",
            time_s=sources.seconds(ended.timestamp()),
            duration_s=sources.seconds((ended - began).total_seconds()),
            comments=("memwatch",),
        )
    Path(output).write_bytes(FORMS[form].write(found))
    return 0


def find_memwatch() -> None:
    """Isolated, an interpreter does not look around: where memwatch is not installed it does not find it."""
    package = Path(__file__).parents[2]
    spec = importlib.util.find_spec("memwatch")
    if spec is None or spec.origin is None or Path(spec.origin).parent != package:
        sys.path.insert(0, str(package.parent))


def main(form: str, mode: str, capture: str, output: str) -> int:
    """Under limits."""
    find_memwatch()
    confine()
    return page(mode, capture, output) if form == "html" else profile(form, mode, capture, output)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
