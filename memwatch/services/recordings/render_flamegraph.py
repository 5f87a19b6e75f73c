"""Renders one capture of memray, in an interpreter of its own: ``render_flamegraph.py FORM MODE CAPTURE OUTPUT``.

Who sent the capture is not proven, and memray's reader is not written for enemies. So it runs with limits on memory,
CPU time and what it may write, an empty environment, and prints no line of any file that the capture names.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
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


def collapsed(mode: str, capture: str, output: str) -> int:
    """One line a stack, outermost frame first, and its bytes: what flamegraph.pl, speedscope and inferno read."""
    from memray import FileReader  # noqa: PLC0415 - under the limits only

    stacks = Counter[str]()
    with FileReader(capture) as reader:
        native = reader.metadata.has_native_traces
        records = (
            reader.get_leaked_allocation_records(merge_threads=True)
            if mode == "leaks"
            else reader.get_high_watermark_allocation_records(merge_threads=True)
        )
        for record in records:
            frames = record.hybrid_stack_trace(MAX_FRAMES) if native else record.stack_trace(MAX_FRAMES)
            names = [_frame(*frame) for frame in reversed(frames)] or ["(unknown)"]
            stacks[";".join(names)] += record.size
    with Path(output).open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(f"{stack} {size}\n" for stack, size in sorted(stacks.items()))
    return 0


def _frame(function: str, filename: str, line: int) -> str:
    text = f"{function} ({filename}:{line})".replace(";", ":")
    return "".join(char if char.isprintable() else "?" for char in text)


FORMS = {"html": page, "txt": collapsed}

if __name__ == "__main__":
    confine()
    sys.exit(FORMS[sys.argv[1]](*sys.argv[2:5]))
