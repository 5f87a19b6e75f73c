"""The Pythons of this machine that memwatch supports: those of pyenv and ``python3.x`` on the path, or named ones."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

OLDEST = (3, 11)
_ASKED = (
    "import json, platform, sys, sysconfig; print(json.dumps([sys.implementation.name, platform.python_version(), "
    "sys.version_info[:3], bool(sysconfig.get_config_var('Py_GIL_DISABLED')), ' '.join([platform.system(), "
    "platform.machine(), *platform.libc_ver()]).strip()]))"
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """One of them."""

    program: str
    version: str
    """With its patch number, and ``t`` behind it for a free-threaded build."""
    numbers: tuple[int, ...]
    free_threaded: bool
    platform: str

    @property
    def minor(self) -> str:
        """``3.13``, or ``3.13t``."""
        return ".".join(map(str, self.numbers[:2])) + "t" * self.free_threaded


def ask(program: str) -> Interpreter | None:
    """What the program is; ``None`` where it does not run, or is no CPython that memwatch supports."""
    try:
        done = subprocess.run([program, "-c", _ASKED], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
        name, version, numbers, free_threaded, platform = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if name != "cpython" or tuple(numbers) < OLDEST:
        return None
    version += "t" * free_threaded
    return Interpreter(
        program=program, version=version, numbers=tuple(numbers), free_threaded=free_threaded, platform=platform
    )


def programs(environment: Mapping[str, str]) -> Iterator[str]:
    """Those that ``PYTHONS`` names, else every candidate of pyenv and of the path."""
    if named := shlex.split(environment.get("PYTHONS", "")):
        yield from named
        return
    pyenv = Path(environment.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, pyenv.glob("versions/*/bin/python3"))
    for folder in filter(None, environment.get("PATH", "").split(os.pathsep)):
        yield from (str(path) for path in Path(folder).glob("python3.*") if re.fullmatch(r"python3\.\d+t?", path.name))


def found(environment: Mapping[str, str] = os.environ) -> list[Interpreter]:
    """In the order of their versions: the newest patch of each minor version, or all those named.

    Raises :class:`SystemExit` for a named one that does not run.
    """
    all_asked = {name: ask(shutil.which(name) or name) for name in dict.fromkeys(programs(environment))}
    if environment.get("PYTHONS"):
        if missing := [name for name, answer in all_asked.items() if answer is None]:
            raise SystemExit(f"memwatch: PYTHONS: no CPython 3.11 or newer: {', '.join(missing)}")
        return sorted(filter(None, all_asked.values()), key=_order)
    return list(_newest(filter(None, all_asked.values())).values())


def _order(interpreter: Interpreter) -> tuple[bool, tuple[int, ...]]:
    return interpreter.free_threaded, interpreter.numbers


def _newest(interpreters: Iterable[Interpreter]) -> dict[str, Interpreter]:
    newest: dict[str, Interpreter] = {}
    for each in sorted(interpreters, key=_order):
        if each.minor not in newest or each.numbers > newest[each.minor].numbers:
            newest[each.minor] = each
    return newest


if __name__ == "__main__":
    for each in found():
        print(each.minor, each.version, each.program)  # noqa: T201 - a program
