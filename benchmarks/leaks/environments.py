"""A virtual environment for each release, made once and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_FOLDER = ROOT / "var" / "leak-environments"


class NotInstallableError(Exception):
    """The package index does not give what the case needs on this Python."""


def python_with(release: str, folder: Path = DEFAULT_FOLDER) -> Path:
    """The interpreter of an environment that holds ``release``, or several; made when it is not there yet.

    Raises :class:`NotInstallableError` with pip's last lines.
    """
    tag = f"{sys.implementation.cache_tag}-{release.replace('==', '-').replace(' ', '_')}"
    place = folder / tag
    python = place / "bin" / "python"
    if (place / ".complete").exists():
        return python
    shutil.rmtree(place, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    uv = _uv()
    _run([*uv, "venv", "--quiet", "--python", sys.executable, str(place)])
    _run(
        [*uv, "pip", "install", "--quiet", "--python", str(python), "--only-binary=:all:", *release.split(), _psutil()]
    )
    (place / ".complete").touch()
    return python


def environment() -> dict[str, str]:
    """Variables under which another interpreter finds memwatch."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MEMWATCH", "DJANGO"))}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def _uv() -> list[str]:
    return [sys.executable, "-m", "uv"]


def _psutil() -> str:
    return f"psutil=={version('psutil')}"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise NotInstallableError("\n".join((done.stdout + done.stderr).strip().splitlines()[-6:]))
