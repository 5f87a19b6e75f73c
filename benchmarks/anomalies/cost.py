"""What a pass costs at 5,000 processes, and how large what is remembered becomes."""

from __future__ import annotations

import json
import time

from benchmarks.anomalies.world import BEGIN, PASS_S, Fleet
from memwatch.detection.anomalies.passes import siblings_pass
from memwatch.detection.anomalies.siblings import Member

PROCESSES = 5_000
MOST_CPU_S, MOST_BYTES = 10.0, 20_000
"""In a minute; of one process."""
PASSES = 40


def run() -> bool:
    """Twenty-five services of 200 workers; half an hour of them counts."""
    fleets = [Fleet(seed, workers=200).run() for seed in range(25)]
    memories: dict[int, object] = {}
    spent, largest = [], 0
    for number in range(PASSES):
        members = [
            Member(1_000_000 * service + each.id, (service, each.release), each.age_s, each.values, each.jobs)
            for service, fleet in enumerate(fleets)
            for each in next(fleet)[1]
        ]
        begin = time.process_time()
        passed = siblings_pass(members, memories, BEGIN + number * PASS_S)  # type: ignore[arg-type]
        stored = [json.dumps(memory.to_json()) for memory in passed.memories.values()]
        spent.append(time.process_time() - begin)
        memories = dict(passed.memories)
        largest = max([largest, *(len(each) for each in stored)])
    most = max(spent[1:])
    a_minute = most / (PASS_S / 60)
    print(
        f"\na pass over {len(members):,} processes: {most:.2f} s of CPU at most, every {PASS_S / 60:.0f} minutes: "
        f"{a_minute:.2f} s a minute (at most {MOST_CPU_S:.0f}); {len(memories):,} remembered, the largest in "
        f"{largest:,} bytes (at most {MOST_BYTES:,})"
    )
    return a_minute <= MOST_CPU_S and largest <= MOST_BYTES
