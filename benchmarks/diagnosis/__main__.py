"""What recordings cost: nothing before they are asked for, bounded pauses while they run, nothing afterwards.

Beside it *Find the cause* in processes of 0.1 to 5 million objects, fresh and churned, with a leak planted.

Ends with 1 when a planted leak's holder is not named, with its line and without doubt; when the longest time for which
a referrers pass over a million objects holds the interpreter is over half of ``gc.collect()``'s or 0.3 of
``objgraph.find_backref_chain``'s (in CPU time within the pass, and as the pause that another thread of the process
sees); or when a request served after recordings costs more CPU than one before, measured against a second server that
was not recorded, in turns.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.census.__main__ import Probe
from benchmarks.census.heap import build
from benchmarks.diagnosis.recorded import RecordedHost

OBJECTS = 1_000_000
TURNS = 5
OF_COLLECT, OF_OBJGRAPH = 0.5, 0.3
CPU_LIMIT = 0.97
KINDS: dict[str, dict[str, Any]] = {
    "referrers": {"type": "host.Row"},
    "allocations": {"duration_s": 4},
    "flamegraph": {"duration_s": 4},
    "heap_summary": {},
}
IDLE = """\
import sys, tempfile, time
from memwatch import agent
from memwatch.agent.config import AgentConfig
agent.start(AgentConfig(transport=f"local://{tempfile.mkdtemp()}", command_key="key", host="h", snapshot_interval=0.5))
time.sleep(6)
print([name for name in sys.modules if name in ("tracemalloc", "memray") or name.startswith("memwatch.diagnosis")])
"""


class Leaked:
    """What the referrers pass looks for."""


def pauses() -> dict[str, list[float]]:
    """``{method: [CPU, longest pause]}`` in milliseconds, medians, on a heap of a million objects."""
    import objgraph

    from benchmarks.diagnosis.held import HeldMeter
    from memwatch.diagnosis import options
    from memwatch.diagnosis.context import Host
    from memwatch.diagnosis.referrers.recording import ReferrersRecording

    meter = HeldMeter()

    kept = [build(OBJECTS), [Leaked() for _ in range(5000)]]
    vars(sys.modules[__name__])["LEAKED"] = kept[1]
    gc.collect()

    def referrers() -> None:
        gc.disable()
        try:
            for wait_s in ReferrersRecording(options.referrers({"type": "__main__.Leaked"}), Host(apart_s=0)).run(
                meter
            ):
                time.sleep(min(wait_s, 0.1))
        finally:
            gc.enable()

    def chain() -> None:
        objgraph.find_backref_chain(kept[1][2500], objgraph.is_proper_module)

    methods: dict[str, Callable[[], object]] = {
        "referrers": referrers,
        "objgraph.find_backref_chain": chain,
        "gc.collect()": gc.collect,
    }
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    with Probe() as probe:
        for _ in range(TURNS):
            for name, method in methods.items():
                rows[name].append(probe.measure(method))
    found = {name: [statistics.median(column) for column in zip(*row, strict=True)] for name, row in rows.items()}
    # The peers hold the interpreter for the whole of their one call.
    return {name: [*row, meter.longest_ms if name == "referrers" else row[0]] for name, row in found.items()}


def report_pauses() -> bool:
    """Measure in a new process and print; whether it is within the limits."""
    command = [sys.executable, "-m", "benchmarks.diagnosis", "--pauses"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
    found: dict[str, list[float]] = json.loads(done.stdout)
    print(f"   {OBJECTS:,} objects: CPU ms / longest pause ms as another thread sees it / CPU ms of the longest hold")
    for name, (cpu, pause, hold) in found.items():
        print(f"      {name:<30}{cpu:9.1f} /{pause:9.1f} /{hold:9.1f}")
    within = True
    for peer, limit in (("gc.collect()", OF_COLLECT), ("objgraph.find_backref_chain", OF_OBJGRAPH)):
        seen, hold = (found["referrers"][which] / found[peer][which] for which in (1, 2))
        print(f"      hold {hold:.2f} of {peer}, at most {limit} (the pause as it was seen: {seen:.2f})", flush=True)
        within = within and max(hold, seen) <= limit
    return within


def report_requests(folder: Path, *, pairs: int, seconds: float) -> bool:
    """CPU per request before, during and after recordings, against a server without; whether it is within the limit."""
    recorded, other = RecordedHost(folder), RecordedHost(folder / "other")
    try:
        for host in (recorded, other):
            host.load(4)  # the first snapshot is over
        before = _ratios(recorded, other, pairs=pairs, seconds=seconds)
        for kind, options in KINDS.items():
            cost, measured = recorded.record(kind, options)
            plain = other.cpu_ms_per_request(2)
            told = f"{measured['duration_s']:.1f} s, pause {measured['longest_pause_ms']:.0f} ms, "
            told += f"agent's CPU {measured['cpu_ms']:.0f} ms, {measured['rss_added_mb']:+.1f} MB"
            print(f"      while it records {kind:<13} {plain / cost:5.2f} ({told})", flush=True)
        after = _ratios(recorded, other, pairs=pairs, seconds=seconds)
    finally:
        recorded.close()
        other.close()
    kept = statistics.median(after) / statistics.median(before)
    print(f"      after all of them        {kept:5.3f} of before, {pairs} pairs each, at least {CPU_LIMIT}", flush=True)
    first, second = before[: pairs // 2], before[pairs // 2 :]
    noise = statistics.median(second) / statistics.median(first)
    print(f"      the second half of before is {noise:5.3f} of its first: so much is noise of this machine", flush=True)
    return kept >= CPU_LIMIT


def _ratios(recorded: RecordedHost, other: RecordedHost, *, pairs: int, seconds: float) -> list[float]:
    """Requests for the CPU time of one, for each of the pairs; their order alternates."""
    ratios = []
    for number in range(pairs):
        hosts = (recorded, other) if number % 2 else (other, recorded)
        costs = {host: host.cpu_ms_per_request(seconds) for host in hosts}
        ratios.append(costs[other] / costs[recorded])
    return ratios


def report_found(sizes: list[int]) -> bool:
    """The pause of a fork, what the copies took, how long until the answer, and whether it is right."""
    print(
        "   objects           fork ms / its CPU ms / gc.collect() ms / CPU of two copies s / MB of a copy / "
        "answer after s / right"
    )
    within = True
    for size in sizes:
        for state in ("fresh", "churned"):
            command = [sys.executable, "-m", "benchmarks.diagnosis.copies", str(size), state]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
            found = json.loads(done.stdout)
            print(
                f"   {found['objects']:>10,} {state:<8}{found['fork_ms']:6.1f} /{found['held_ms']:6.1f} /"
                f"{found['collect_ms']:8.0f} /{found['child_cpu_ms'] / 1e3:6.1f} /{found['child_mb']:6.0f} /"
                f"{found['duration_s']:6.1f} / "
                f"{'yes' if found['right'] else found['holder']}",
                flush=True,
            )
            within = within and found["right"]
    return within


def report_idle() -> bool:
    """What an agent has loaded that nobody has asked to record."""
    done = subprocess.run([sys.executable, "-c", IDLE], capture_output=True, text=True, check=True, timeout=120)
    loaded = done.stdout.strip()
    print(f"   loaded before a recording is asked for: {loaded}", flush=True)
    return loaded == "[]"


def main() -> int:
    """All of it; 1 when something is over its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagnosis", description=__doc__)
    parser.add_argument("--pauses", action="store_true", help="measure the pauses in this process, print JSON")
    parser.add_argument("--pairs", type=int, default=14, help="before and after the recordings (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of load on each side (default: %(default)s)")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[100_000, 1_000_000, 5_000_000], help="of heaps with a planted leak"
    )
    chosen = parser.parse_args()
    if chosen.pauses:
        print(json.dumps(pauses()))
        return 0
    within = [report_idle(), report_found(chosen.sizes), report_pauses()]
    with tempfile.TemporaryDirectory(prefix="memwatch-bench-") as folder:
        print("   CPU per request in gunicorn, as a ratio of that of a server that is not recorded:", flush=True)
        (Path(folder) / "other").mkdir()
        within.append(report_requests(Path(folder), pairs=max(2, chosen.pairs), seconds=chosen.seconds))
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
