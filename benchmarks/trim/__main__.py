"""What an allocator check returns, against ``malloc_trim`` called by gdb in a twin of the program.

Ends with 1 when memwatch returns over 5 % (and 2 MB) more or less than gdb, when the verdict is wrong, when another
thread was held up for longer than the call and :data:`SLACK_MS`, or when the advice does not halve the memory of a
program that it fits. Skipped where there is no gdb or no glibc.

Then a gunicorn with free memory is asked without a break before, during and after a check.
"""

from __future__ import annotations

import argparse
import http.client
import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.diagnosis.recorded import RecordedHost
from benchmarks.guest.host import GTHREAD
from benchmarks.trim.twins import by_gdb, by_memwatch, rss_with
from memwatch.diagnosis.trim.c_library import CLibrary
from memwatch.diagnosis.trim.verdict import verdict

ADVISED = {"turns": "MALLOC_ARENA_MAX=2", "large": "MALLOC_MMAP_THRESHOLD_=131072"}
KINDS = {"fragmented": "returned", "leaking": "in_use", "arenas": "returned", "pinned": "pymalloc", "pieces": "pieces"}
SHARE, LEAST_MB = 0.05, 2.0
HALF = 0.5
SLACK_MS = 50.0
"""On a busy machine with two cores a thread waits as long for its turn."""
CONFIG = """\
def post_worker_init(worker):
    import random
    from benchmarks.trim.program import fragmented
    worker.kept = fragmented({megabytes}, 7)
"""


def compared(kind: str, megabytes: float, seed: int) -> bool:
    """Print both; whether they agree and the verdict is right."""
    found = by_memwatch(kind, megabytes, seed)
    before, after, stopped_ms = by_gdb(kind, megabytes, seed)
    ours, theirs = found["rss_before_mb"] - found["rss_after_mb"], before - after
    said = verdict(found)
    size = f"{ours:7.1f} of {found['rss_before_mb']:7.1f} MB, by gdb {theirs:7.1f} of {before:7.1f}"
    held = f"another thread held up {found['held_ms']:6.1f} ms, by gdb {stopped_ms:7.1f}"
    print(f"   {kind:<11} returned {size}; call {found['pause_ms']:6.1f} ms, {held}; {found['arenas_in_all']} arenas")
    print(f"      {said.sentence}", flush=True)
    agree = abs(ours - theirs) <= max(LEAST_MB, SHARE * theirs)
    return agree and said.kind == KINDS[kind] and found["held_ms"] <= found["pause_ms"] + SLACK_MS


def advised(kind: str, megabytes: float, setting: str) -> bool:
    """Print what the first piece of advice gains after a restart; whether it is the right one, and halves RSS."""
    found = by_memwatch(kind, megabytes, seed=11)
    before, after = (rss_with(kind, megabytes, 11, each) for each in ("", setting))
    first = verdict(found).advice[0].setting
    print(f"   {kind:<11} advice {first}: {before:6.1f} MB without, {after:6.1f} MB with {setting}", flush=True)
    return first == setting and after <= HALF * before


class Server(RecordedHost):
    """A gunicorn that is asked by :class:`Client` alone."""

    def load(self, seconds: float) -> list[float]:
        """Nothing is asked here."""
        time.sleep(seconds)
        return [seconds]


class Client(threading.Thread):
    """Asks without a break; ``took`` has when each answer came, and after how long."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.took: list[tuple[float, float]] = []
        self.over = False
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def run(self) -> None:
        """Until ``over``."""
        while not self.over:
            began = time.perf_counter()
            self._connection.request("GET", "/")
            self._connection.getresponse().read()
            now = time.perf_counter()
            self.took.append((now, now - began))
        self._connection.close()


def served(megabytes: float, seconds: float) -> None:
    """Latency of requests around a check, in stretches of the same length."""
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as name:
        folder = Path(name)
        config = folder / "gunicorn.conf.py"
        config.write_text(CONFIG.format(megabytes=megabytes))
        host = Server(folder, worker=(*GTHREAD, "--config", str(config)))
        try:
            client = Client(host.port)
            client.start()
            time.sleep(2 + seconds)
            ordered_at = time.perf_counter()
            _cost, measured = host.record("trim", {})
            time.sleep(max(0.0, ordered_at + 2 * seconds - time.perf_counter()))
            client.over = True
            client.join(60)
        finally:
            host.close()
    print(
        f"   gunicorn, {megabytes:.0f} MB fragmented, one client; the call took {measured['longest_pause_ms']:.0f} ms"
    )
    for number, when in enumerate(("before", "with it", "after")):
        begin = ordered_at + (number - 1) * seconds
        took = sorted(each for at, each in client.took if begin <= at < begin + seconds)
        print(
            f"      {when:<8}{len(took):6,} requests in {seconds:.0f} s, p50 {statistics.median(took) * 1e3:5.1f} ms, "
            f"p99 {took[int(len(took) * 0.99)] * 1e3:6.1f} ms, longest {took[-1] * 1e3:6.1f} ms",
            flush=True,
        )


def main() -> int:
    """All of it; 1 when something is over its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trim", description=__doc__)
    parser.add_argument("--megabytes", type=float, default=400.0, help="that each program makes (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=6.0, help="of load on each side (default: %(default)s)")
    chosen = parser.parse_args()
    if reason := CLibrary().why_not:
        print(f"   skipped: {reason}")
        return 0
    within = True
    if shutil.which("gdb") is None:
        print("   skipped against gdb: it is not installed")
    else:
        within = min([compared(kind, chosen.megabytes, seed=11) for kind in KINDS])
    within = min([within, *(advised(kind, chosen.megabytes, setting) for kind, setting in ADVISED.items())])
    served(chosen.megabytes, chosen.seconds)
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
