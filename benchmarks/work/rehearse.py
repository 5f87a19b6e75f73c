"""Whether programs start and leak as they declare: ``python -m benchmarks.work.rehearse [PROGRAM …]``.

Each is started under its real server and visited for some seconds. The site itself writes down what it keeps; memwatch
is not asked. Ends with 1 where a program keeps something else than it declares. The site counts only the leaks of
``retained``, ``references``, ``registries`` and ``hoards``; of others, this only says that the program runs.
With ``--seconds``, each has its own load for so long, and says five times what it holds for a while (``temporary``).
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.work.catalogue import PROGRAMS
from benchmarks.work.program import HALVES, Leak, Program
from benchmarks.work.serving import Client, Sender, Site, broker_for, visited

ROUNDS = 24
"""Visits to each group of names."""
UNDER_WAY = 20
"""Jobs of a process at most, for which nothing is kept before they have ended."""
TIMES = 5
SETTLED_S, WAIT_S = 2.0, 60.0


def faults(program: Program, notes: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What the notes of the processes say otherwise than the program."""
    called = sum((Counter(note["calls"]) for note in notes), Counter())
    if missing := set(program.names) - set(called):
        yield f"never called: {', '.join(sorted(missing))}"
    for leak in program.leaks:
        counts = [(note["calls"], note["kept"][leak.how]) for note in notes if leak.how in note["kept"]]
        for calls, kept in counts:
            least, most = expected(leak, calls)
            if not least <= kept <= most:
                yield f"{leak.how}: {kept} kept after {calls}, not {least} to {most}"
        if counts and not sum(kept for _calls, kept in counts):
            yield f"{leak.how}: nothing is kept"
    if bool(program.ticking) != any(note["ticks"] for note in notes):
        yield "a thread keeps objects" if not program.ticking else "no thread keeps objects"
    for note in notes:
        calls, kept = sum(note["calls"].values()), note["handled"]
        wrong = kept < calls - UNDER_WAY if program.every_job else kept > 0
        if wrong:
            yield f"{kept} objects are kept for {calls} jobs by what comes with every job"


def expected(leak: Leak, calls: dict[str, int]) -> tuple[int, int]:
    """At least and at most so many objects are kept after these calls."""
    times = sum(calls.get(name, 0) // leak.every * leak.times.get(name, 1) for name in leak.names)
    least, most = leak.objects
    return (0 if leak.spell_s else times * least), times * most


def noted(program: Program, folder: Path, seconds: float = 0.0) -> list[dict[str, Any]]:
    """Run it, and what its processes have written down in the end."""
    notes = folder / "notes"
    notes.mkdir()
    with ExitStack() as stack:
        broker = stack.enter_context(broker_for(program.server))
        site = Site(folder, f"local://{folder}/transport", program=program.for_the_site(), broker=broker, notes=notes)
        stack.callback(site.close)
        site.make_tables()
        site.serve(program.server, program.processes)
        if seconds:
            with visited(program, site.port, broker):
                _watch(site, notes, seconds)
            return _settled(site, notes)
        visit = Sender(broker).visit if broker else Client(site.port).visit
        for _ in range(ROUNDS):
            for group, _weight in program.visits:
                visit(" ".join(group))
        return _settled(site, notes)


def _watch(site: Site, notes: Path, seconds: float) -> None:
    for number in range(1, TIMES + 1):
        time.sleep(seconds / TIMES)
        site.must_run()
        summed = totals(_read(notes))
        print(f"   after {number * seconds / TIMES:.0f} s: {json.dumps(summed)}", flush=True)


def totals(notes: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Over the processes: calls, objects that leak, of threads, of every job, and those held for a while."""
    found: Counter[str] = Counter()
    for note in notes:
        found.update({"calls": sum(note["calls"].values()), "ticks": note["ticks"], "handled": note["handled"]})
        found.update(note["kept"])
        found.update(note["held"])
    return dict(found)


def _read(notes: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(notes.glob("*.json"))]


def _settled(site: Site, notes: Path) -> list[dict[str, Any]]:
    """Once they no longer change."""
    until, last, since = time.monotonic() + WAIT_S, "", time.monotonic()
    while time.monotonic() < until:
        time.sleep(0.2)
        site.must_run()
        now = " ".join(file.read_text() for file in sorted(notes.glob("*.json")))
        if now != last:
            last, since = now, time.monotonic()
        elif now and time.monotonic() > since + SETTLED_S:
            break
    return _read(notes)


def main() -> int:
    """Those named, or all of a half."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.work.rehearse", description=__doc__)
    parser.add_argument("programs", nargs="*", metavar="PROGRAM")
    parser.add_argument("--half", choices=HALVES, default="scoring")
    parser.add_argument("--seconds", type=float, default=0.0, help="of the program's own load, for each")
    chosen = parser.parse_args()
    # What was started is stopped by the context managers, also where this is killed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = chosen.programs or [name for name, program in PROGRAMS.items() if program.half == chosen.half]
    wrong = False
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="memwatch-bench-", ignore_cleanup_errors=True) as folder:
            notes = noted(PROGRAMS[name], Path(folder), chosen.seconds)
        kept = sum((Counter(note["kept"]) for note in notes), Counter())
        calls = sum(sum(note["calls"].values()) for note in notes)
        found = list(faults(PROGRAMS[name], notes))
        wrong |= bool(found)
        print(f"{name}: {len(notes)} processes, {calls} calls, kept {dict(kept)}", *found, sep="\n   ", flush=True)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
