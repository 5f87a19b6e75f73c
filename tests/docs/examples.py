"""The Python examples of the documents, and how they are run: as a reader would, only with shorter sleeps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WITHIN_S = 60.0

_FENCED = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)

_SHORT_SLEEPS = """\
import asyncio as _asyncio
import time as _time

_sleep = _asyncio.sleep
_now = 0.0
_due = {}  # by task that has slept: when it wakes, in its own seconds; None while it works


async def _short(seconds, result=None):
    # Tasks wake in the order in which they would wake, each when those before it have done their work.
    global _now
    task, deadline = _asyncio.current_task(), _time.monotonic() + 5
    mine = _due[task] = _now + seconds
    await _sleep(0.01)
    while _time.monotonic() < deadline and any(
        not other.done() and (due is None or due < mine) for other, due in _due.items() if other is not task
    ):
        await _sleep(0.01)
    _now, _due[task] = max(_now, mine), None
    return result


_asyncio.sleep = _short
"""

_OTHER_PORT = """\
import memwatch.metrics.server

memwatch.metrics.server.DEFAULT_PORT = {port}
"""

_RUN_FRAGMENTS = """\
import ast
import inspect
import pathlib
import sys

_namespace = {"__name__": "example"}


async def _run(paths):
    for path in paths:
        text = pathlib.Path(path).read_text()
        result = eval(compile(text, path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), _namespace)
        if inspect.isawaitable(result):
            await result


_asyncio.run(_run(sys.argv[1:]))
"""


def blocks_of(document: str) -> list[str]:
    """Every Python block of the document, in order."""
    return _FENCED.findall((ROOT / document).read_text())


def is_program(block: str) -> bool:
    """Complete in itself; the others are fragments that go on from one another."""
    return "asyncio.run(" in block


def start(folder: Path, text: str, *arguments: str, port: int | None = None) -> subprocess.Popen[str]:
    """Run the text with short sleeps in a process of its own, in which every warning is an error."""
    before = _SHORT_SLEEPS + (_OTHER_PORT.format(port=port) if port is not None else "")
    script = folder / "example.py"
    script.write_text(before + text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MEMWATCH_", "DJANGO_"))}
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(script), *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": f"{ROOT}:{ROOT / 'monitoring' / 'exporters'}", "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_fragments(folder: Path, blocks: list[str]) -> subprocess.Popen[str]:
    """Run them one after the other in one namespace, with ``await`` at the top level."""
    paths = []
    for number, block in enumerate(blocks):
        path = folder / f"fragment_{number}.py"
        path.write_text(block)
        paths.append(str(path))
    return start(folder, _RUN_FRAGMENTS, *paths)


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it has written when it has ended."""
    try:
        return process.communicate(timeout=WITHIN_S)
    finally:
        process.kill()
