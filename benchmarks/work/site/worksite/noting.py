"""How often each name has leaked and how much of it is there, written down for a rehearsal."""

import json
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from worksite import background, everyjob, hoards, leaks, references, registries, retained
from worksite.program import PROGRAM
from worksite.temporary import HELD

NOTES = os.environ.get("WORK_NOTES")
"""A folder, in a rehearsal only."""
CALLS: Counter[str] = Counter()
COUNTED = {**retained.COUNTED, **references.COUNTED, **registries.COUNTED, **hoards.COUNTED}
_writing = threading.Lock()
Leaking = Callable[[object, list[Any]], None]


def noted(name: str, leak: Leaking) -> Leaking:
    """It, and afterwards a note."""
    if not NOTES:
        return leak

    def call(request: object, rows: list[Any]) -> None:
        with _writing:
            CALLS[name] += 1
            try:
                leak(request, rows)
            finally:
                _write(Path(NOTES or "."))

    return call


def _write(folder: Path) -> None:
    kept = {each["how"]: COUNTED[each["how"]]() for each in PROGRAM["leaks"] if each["how"] in COUNTED}
    ticks, handled = len(leaks.TICKS) + background.kept(), len(retained.HANDLED) + everyjob.kept()
    held = {each: HELD[each]() for each in PROGRAM["harmless"] if each in HELD}
    note = {"calls": CALLS, "kept": kept, "ticks": ticks, "handled": handled, "held": held}
    file = folder / f"{os.getpid()}.json"
    file.with_suffix(".new").write_text(json.dumps(note))
    file.with_suffix(".new").replace(file)  # whoever reads it finds all of it
