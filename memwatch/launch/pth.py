"""For images whose command cannot be changed: a file in the environment that has every Python of it start the agent."""

from __future__ import annotations

import sysconfig
from pathlib import Path

NAME = "memwatch-run.pth"
_BEGIN = "try:\n import memwatch.launch.begin\nexcept Exception:\n pass"
"""Uninstalling memwatch leaves the file: no program may see an error then."""
_LINE = f'import os, sys; os.environ.get("MEMWATCH_TRANSPORT") and not sys.flags.isolated and exec({_BEGIN!r})\n'


def install() -> str:
    """Write the file; gives its path. Raises :class:`OSError`."""
    path = _place()
    path.write_text(_LINE)
    return str(path)


def uninstall() -> str:
    """Delete the file; gives its path. Raises :class:`OSError`."""
    path = _place()
    path.unlink(missing_ok=True)
    return str(path)


def _place() -> Path:
    return Path(sysconfig.get_path("purelib"), NAME)
