"""How the allocators of this process were set when it started: variables of its environment that they read.

Only these names, and of their values only numbers and the names of files: an environment holds secrets.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from pathlib import Path

from memwatch.sampling.procmem import read_bytes

NUMBERS = (
    "MALLOC_ARENA_MAX",
    "MALLOC_ARENA_TEST",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_MMAP_MAX_",
    "MALLOC_TOP_PAD_",
    "MALLOC_CHECK_",
    "MALLOC_PERTURB_",
)
PRELOAD, PYTHON, TUNABLES = "LD_PRELOAD", "PYTHONMALLOC", "GLIBC_TUNABLES"
MOST_SETTINGS = 24
MOST_TEXT = 100

_NAME = re.compile(rf"(?:{'|'.join(NUMBERS)}|{PRELOAD}|{PYTHON}|glibc\.malloc\.[a-z_]{{1,40}})\Z")
_NUMBER = re.compile(r"(?:\d{1,20}|0x[0-9a-fA-F]{1,16})\Z")
_TUNABLE = re.compile(r"glibc\.malloc\.[a-z_]{1,40}\Z")
_FILES = re.compile(r"[\w.+-]{1,60}(?:, [\w.+-]{1,60})*\Z")
_PYTHON_MALLOCS = ("default", "malloc", "pymalloc", "mimalloc", "debug", "malloc_debug", "pymalloc_debug")


def is_setting(name: str, value: str) -> bool:
    """Whether it is one that this module reports."""
    if _NAME.match(name) is None or len(value) > MOST_TEXT:
        return False
    if name == PYTHON:
        return value in _PYTHON_MALLOCS
    return (_FILES if name == PRELOAD else _NUMBER).match(value) is not None


def settings_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings in an environment, by name. A value of another form is left out."""
    found = {name: environment.get(name, "") for name in (*NUMBERS, PYTHON)}
    for each in environment.get(TUNABLES, "")[:4000].split(":"):
        name, _, value = each.partition("=")
        if _TUNABLE.match(name):
            found[name] = value
    files = re.split(r"[\s:]+", environment.get(PRELOAD, "")[:4000])
    found[PRELOAD] = ", ".join(file.rpartition("/")[2] for file in files if file)[:MOST_TEXT].rstrip(", ")
    kept = [(name, value) for name, value in found.items() if is_setting(name, value)]
    return dict(sorted(kept)[:MOST_SETTINGS])


def initial_environment(file: Path | str = "/proc/self/environ") -> Mapping[str, str]:
    """The environment with which the process was started: what the allocators have read.

    ``os.environ`` may have been changed since, without effect on them. A process that has changed its title has
    written over the original; then ``os.environ`` is all there is.
    """
    content = (read_bytes(str(file), 1 << 20) or b"").decode(errors="surrogateescape")
    found = dict(entry.partition("=")[::2] for entry in content.split("\0") if "=" in entry)
    current = os.environ
    intact = any(current.get(name) == value for name, value in found.items())
    return found if intact else current


def allocator_settings() -> dict[str, str]:
    """Those of this process, read once."""
    return dict(_settings(os.getpid()))


@functools.lru_cache(maxsize=1)
def _settings(_pid: int) -> dict[str, str]:
    try:
        return settings_of(initial_environment())
    except (ValueError, TypeError):  # a host that has put something else in the place of os.environ
        return {}
