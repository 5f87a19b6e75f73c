"""A server's master, seen by its eldest worker."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

# The pauses tell the starts apart: the kernel counts them in hundredths of a second.
MASTER = """
import subprocess, sys, time
child = [sys.executable, "-c", sys.argv[1]]
first = subprocess.Popen(child, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
time.sleep(0.05)
second = subprocess.Popen(child, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
time.sleep(0.05)
younger = second.communicate("go")[0].strip()
print(younger, first.communicate("go")[0].strip())
"""
WORKER = """
import sys, json, dataclasses
sys.stdin.read()
from memwatch.sampling.parent_process import observe_parent
seen = observe_parent()
print(json.dumps(None if seen is None else [seen.program, seen.pid, seen.rss_mb > 1, seen.command_line]))
"""
TRACKER = "import sys; sys.stdin.read(); 'from multiprocessing.resource_tracker import main'"


def run(folder: Path, name: str, *arguments: str, master: str = MASTER) -> list[str]:
    script = folder / name
    script.write_text(master)
    done = subprocess.run(
        [sys.executable, str(script), WORKER, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip().split(" ", 0)


def test_gunicorns_master_is_reported_by_its_eldest_worker_alone(tmp_path: Path) -> None:
    (line,) = run(tmp_path, "gunicorn", "shop.wsgi", "--token=geheim99")
    younger, _, elder = line.partition(" ")
    program, pid, has_memory, command_line = json.loads(elder)
    assert program == "gunicorn master"
    assert pid > 1
    assert has_memory
    assert "geheim99" not in command_line
    assert younger == "null"


def test_a_parent_that_starts_no_workers_is_not_reported(tmp_path: Path) -> None:
    assert run(tmp_path, "report.py") == ["null null"]


def test_multiprocessings_tracker_is_no_elder_worker(tmp_path: Path) -> None:
    tracker = (
        f"tracker = subprocess.Popen([sys.executable, '-c', {TRACKER!r}], stdin=subprocess.PIPE)\ntime.sleep(.05)\n"
    )
    master = MASTER.replace("child =", tracker + "child =") + "tracker.communicate()\n"
    (line,) = run(tmp_path, "uvicorn", "shop.asgi:app", master=master)
    assert line.startswith('null ["uvicorn supervisor"')
