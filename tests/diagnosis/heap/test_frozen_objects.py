"""What ``gc.freeze()`` has set apart."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from memwatch.diagnosis.heap.frozen_objects import frozen_by_program
before = frozen_by_program()
gc.freeze()
print(before, frozen_by_program() == gc.get_freeze_count())
"""


def test_what_an_interpreter_itself_sets_apart_as_it_starts_is_no_freeze() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True"]
