"""Flame graphs: a capture rendered by memray in a process of its own, once, and kept beside the capture."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from memwatch.models import FlameGraphMode, Recording, RecordingKind
from memwatch.services import ActionRefused, locking
from memwatch.services.recordings import storage
from memwatch.services.recordings.render_flamegraph import FILE_BYTES

TIMEOUT_S = 25.0
"""Below the patience of common web servers: 30 seconds."""
_CHILD = Path(__file__).with_name("render_flamegraph.py")


def render(recording: Recording, form: str) -> bytes:
    """The capture as ``html`` (a page that needs nothing else) or as a profile, from the cache if it is there.

    ``txt`` is an older name of the collapsed stacks. Raises :class:`ActionRefused` where it cannot be rendered (now),
    and :class:`storage.OutcomeMissing`.
    """
    if recording.kind != RecordingKind.FLAMEGRAPH:
        raise storage.OutcomeMissing("it is no flame graph")
    form = "collapsed" if form == "txt" else form
    name = storage.rendered_name(recording, form)
    known = storage.cached(name)
    if known is not None:
        return known
    capture = storage.read(recording)
    if importlib.util.find_spec("memray") is None:
        raise ActionRefused('memray is not installed here: install "memwatch[flamegraph]" beside the admin')
    with locking.alone(f"render {recording.wire_id} {form}", TIMEOUT_S + 5) as ours:
        if not ours:
            raise ActionRefused("it is being rendered just now: try again in a few seconds")
        mode = recording.options.get("mode", FlameGraphMode.LEAKS)
        rendered = _run(capture, form, mode)
        storage.cache(name, rendered)
    return rendered


def _run(capture: bytes, form: str, mode: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="memwatch-flamegraph-") as folder:
        source, target = Path(folder, "capture.bin"), Path(folder, f"rendered.{form}")
        source.write_bytes(capture)
        command = [sys.executable, "-I", str(_CHILD), form, mode, str(source), str(target)]
        try:
            done = subprocess.run(  # noqa: S603 - our own script, under limits
                command,
                cwd=folder,
                env={"HOME": folder, "PATH": "", "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ActionRefused(
                f"rendering took longer than {TIMEOUT_S:.0f} seconds: download the capture and run memray where there "
                "is time, or record for a shorter time"
            ) from None
        if done.returncode != 0 or not target.exists():
            said = done.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
            raise ActionRefused(f"memray cannot render this capture: {(said or ['no reason given'])[-1][:200]}")
        if target.stat().st_size > FILE_BYTES:
            raise ActionRefused("the flame graph is too big to be shown: download the capture")
        return target.read_bytes()
