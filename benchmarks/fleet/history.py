"""A fleet's past, straight into rows: ``python -m benchmarks.fleet.history BEGIN INTERVAL COUNT FIRST LAST``.

Of the processes from ``FIRST`` to ``LAST`` all but their first and last of ``COUNT``, which come through the ingest.
Prints a line of JSON for each snapshot of all of them.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime

from benchmarks.simulated import RESTARTING, Simulated


def main(arguments: list[str]) -> None:
    """Write the rows."""
    import django

    django.setup()
    from memwatch.models import Process, Snapshot
    from memwatch.queries.series.snapshot_mapping import columns_of, type_names
    from memwatch.services.ingest.writer import intern

    begin, interval_s, *numbers = arguments
    count, first, last = map(int, numbers)
    fleet = [Simulated(number, datetime.fromisoformat(begin), float(interval_s)) for number in range(first, last)]
    living = [process for process in fleet if process.kind != RESTARTING]
    ids = dict(Process.objects.values_list("key", "pk"))
    types = intern({name for process in living for name in type_names(process.snapshot(0))})
    for seq in range(1, count - 1):
        rows = [
            Snapshot(
                process_id=ids[process.info().key],
                seq=seq,
                timestamp=process.when(seq),
                received_at=process.when(seq),
                **columns_of(process.snapshot(seq), types),
            )
            for process in living
        ]
        Snapshot.objects.bulk_create(rows, batch_size=500)
        print(json.dumps({"seq": seq, "rows": len(rows)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
