"""The part that is compiled, where this Python has it; see ``_copy_walk.c``."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

from memwatch.sampling.walk import addresses


def _load() -> ModuleType | None:
    if addresses is None or os.environ.get("MEMWATCH_HEAP_WALK", "").lower() in ("0", "off", "false", "no"):
        return None
    try:
        return importlib.import_module("memwatch.diagnosis.heap_dump._copy_walk")
    except ImportError:
        return None


module = _load()
