"""Private memory of four preloaded gunicorn workers over a million objects, with ``gc.freeze()`` before the fork."""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.guest.host import SYNC, Host

WORKERS = 4
BALLAST = 500_000
"""Each is a dict with a list: two objects that the collector visits."""
COLLECT_AT = 20
"""The request of each worker that is followed by a full collection, where there is one."""
HOOK = "from memwatch.prefork import when_ready\n"
LEAST_SAVED = 0.4
"""Share of the private memory that the hook must save where a worker has collected all generations."""


def measure(*, hook: bool, has: str, requests: int, collects: bool) -> tuple[float, float, float]:
    """Private MB of a worker after its first answers and after all; the last is PSS after all. The median of four."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "gunicorn.conf.py"
        config.write_text(HOOK if hook else "")
        site = {"HOST_BALLAST": str(BALLAST), "HOST_COLLECT_AT": str(COLLECT_AT if collects else 0)}
        worker = (*SYNC, "--workers", str(WORKERS), "--preload", "--config", str(config))
        host = Host(folder, has, interval_s=5.0, environment=site, worker=worker)
        try:
            first = median(uss for _rss, uss, _pss in host.memory_of_workers())
            for _ in range(requests):
                host.ask()
            after = host.memory_of_workers()
        finally:
            host.close()
    return first, median(uss for _rss, uss, _pss in after), median(pss for _rss, _uss, pss in after)


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sharing", description=__doc__)
    parser.add_argument("--requests", type=int, default=2_000)
    requests = parser.parse_args().requests
    private = {}
    heads = ("private at first", f"after {requests:,}", "its share (PSS)")
    print(f"{'agent':<8}{'full collection':<18}{'hook':<6}" + "".join(f"{head:>18}" for head in heads))
    for has, collects, hook in itertools.product(("off", "on"), (False, True), (False, True)):
        figures = measure(hook=hook, has=has, requests=requests, collects=collects)
        private[has, collects, hook] = figures[1]
        words = f"{has:<8}{'one' if collects else 'none':<18}{'yes' if hook else 'no':<6}"
        print(words + "".join(f"{mb:>15.0f} MB" for mb in figures), flush=True)
    saved = {has: 1 - private[has, True, True] / private[has, True, False] for has in ("off", "on")}
    print(f"saved after a full collection: {saved['off']:.0%} without the agent, {saved['on']:.0%} with it")
    return min(saved.values()) < LEAST_SAVED


if __name__ == "__main__":
    raise SystemExit(main())
