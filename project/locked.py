"""Are requirements.txt and requirements-dev.txt in step with pyproject.toml? ``--write`` brings them there."""

from __future__ import annotations

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import tomllib

FOR_TESTS = {"pytest"}
"""Extras that no deployment runs with."""
_EXTRAS = sorted(tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]["optional-dependencies"])
LOCKS = {
    "requirements.txt": [
        *(f"--extra={name}" for name in _EXTRAS if name not in FOR_TESTS), "--group", "project",
    ],
    "requirements-dev.txt": ["--all-extras", "--group", "project", "--group", "dev"],
}  # fmt: skip


def compile_lock(target: pathlib.Path, options: list[str]) -> None:
    """Write the lock; what ``target`` already holds stays at its version."""
    arguments = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "pyproject.toml", *options]
    arguments += ["--universal", "--generate-hashes", "--python-version", "3.11", "--no-header"]
    if target.name != "requirements.txt":
        arguments += ["--constraints", "requirements.txt"]
    subprocess.run([*arguments, "--output-file", str(target)], check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def main() -> int:
    """Compare (exit code 1 when out of step), or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    stale = []
    with tempfile.TemporaryDirectory() as folder:
        for name, options in LOCKS.items():
            current, fresh = pathlib.Path(name), pathlib.Path(folder, name)
            if write:
                compile_lock(current, options)
                continue
            shutil.copy(current, fresh)
            compile_lock(fresh, options)
            if fresh.read_text() != current.read_text():
                stale.append(name)
    if stale:
        sys.stderr.write(f"{' and '.join(stale)}: not in step with pyproject.toml; run `make lock` and commit\n")
    return bool(stale)


if __name__ == "__main__":
    raise SystemExit(main())
