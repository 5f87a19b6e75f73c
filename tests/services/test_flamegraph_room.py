"""Rendering a flame graph in a container: within the room that is left, and ended beyond it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from memwatch.services.recordings import render_flamegraph

MB = 1024 * 1024


@pytest.mark.parametrize(
    ("names", "limit", "used", "room_mb"),
    [
        (("memory.max", "memory.current"), str(512 * MB), str(212 * MB), 225),
        (("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"), str(512 * MB), str(212 * MB), 225),
        (("memory.max", "memory.current"), "max", str(212 * MB), 2048),
        (("memory.max", "memory.current"), str(64 * 1024 * MB), "0", 2048),
    ],
)
def test_room_is_what_the_container_has_left(
    tmp_path: Path, names: tuple[str, str], limit: str, used: str, room_mb: int
) -> None:
    assert render_flamegraph.room(tmp_path) == 2048 * MB
    for name, value in zip(names, (limit, used), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{value}\n")
    assert render_flamegraph.room(tmp_path) == room_mb * MB


def _confined(room_mb: int) -> subprocess.CompletedProcess[str]:
    """What renders, in a container with so much room, given something that takes ever more memory."""
    code = (
        "from memwatch.services.recordings import render_flamegraph\n"
        "import time\n"
        f"render_flamegraph.room = lambda: {room_mb * MB}\n"
        "render_flamegraph.confine()\n"
        "taken = []\n"
        "while True:\n"
        "    taken.append(b'x' * 1_000_000)\n"
        "    time.sleep(0.001)\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the kernel does not tell")
def test_who_takes_more_is_ended_with_a_sentence() -> None:
    done = _confined(100)
    assert done.returncode == 1
    assert "more memory than there is here" in done.stderr


def test_where_there_is_too_little_room_it_does_not_begin() -> None:
    done = _confined(90)
    assert done.returncode == 1
    assert "there is too little memory left here" in done.stderr


def test_the_program_that_renders_keeps_to_the_room_of_its_container(tmp_path: Path) -> None:
    code = (
        "import pathlib, runpy, sys\n"
        f"files = {{'memory.max': '{512 * MB}', 'memory.current': '{500 * MB}'}}\n"
        "read = pathlib.Path.read_text\n"
        "pathlib.Path.read_text = lambda path, **how: files.get(path.name) or read(path, **how)\n"
        f"sys.argv = ['render', 'txt', 'leaks', '{tmp_path}/capture.bin', '{tmp_path}/out']\n"
        f"runpy.run_path({render_flamegraph.__file__!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "there is too little memory left here" in done.stderr
