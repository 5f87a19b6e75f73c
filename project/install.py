"""Fill a virtual environment with the locked requirements and the package. Run as a file, by the Makefile.

Needs nothing but the standard library, and says in one line what to do when something is missing.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys


def fail(line: str) -> None:
    """End with one plain line."""
    sys.stderr.write(f"memwatch: {line}\n")
    raise SystemExit(1)


def run(arguments: list[str], hint: str) -> None:
    """Run quietly; on failure show the last lines and what to do."""
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        network = any(
            word in line for line in said for word in ("NewConnectionError", "ConnectTimeout", "Temporary failure")
        )
        if network or any("No matching distribution" in line for line in said):
            hint = "the package index cannot be reached: check the network or set PIP_INDEX_URL, then run it again"
        sys.stderr.write("".join(f"  {line}\n" for line in said[-4:]))
        fail(hint)


def main(requirements: str) -> None:
    """Make ``.venv`` with this Python and install into it."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file must say so on any Python
        fail(f"this is Python {sys.version.split()[0]}, 3.11 or newer is needed: make run PYTHON=/path/to/python3.11")
    venv = pathlib.Path(".venv")
    python = str(venv / "bin" / "python")
    if not pathlib.Path(python).exists():
        try:
            import ensurepip  # noqa: F401, PLC0415 - Debian leaves it out of python3
        except ImportError:
            fail("this Python has no ensurepip: apt-get install python3-venv, or make run PYTHON=/another/python3")
        sys.stdout.write("Making .venv …\n")
        run([sys.executable, "-m", "venv", str(venv)], f"{venv.resolve()} cannot be made: is the folder writable?")
    sys.stdout.write(f"Installing {requirements} …\n")
    sys.stdout.flush()
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    run([*pip, "--require-hashes", "-r", requirements], f"{requirements} cannot be installed: see the lines above")
    run(
        [*pip, "--no-deps", "--no-build-isolation", "--config-settings", "editable_mode=compat", "--editable", "."],
        "the package itself cannot be installed: see the lines above",
    )


if __name__ == "__main__":
    main(sys.argv[1])
