"""What ``memwatch run`` is asked to start: which Python, and why that one cannot be watched."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_WITH_VALUE = "WX"
_LAST = "cm"
"""Options after which the program's own arguments begin."""
_REASONS = {"I": "its Python is isolated (-I)", "E": "its Python ignores PYTHONPATH (-E)",
            "S": "its Python loads no site (-S)"}  # fmt: skip
_HEAD_BYTES = 4096
_ELF, _EXECUTABLE, _INTERPRETER_SEGMENT = b"\x7fELF", 2, 3


def why_unwatched(program: str, arguments: Sequence[str]) -> str:
    """Why the program will not be watched, where its first bytes and arguments say so; else empty."""
    path = _found(program)
    if path is None:
        return ""
    head = _head(path)
    if _is_python(path):
        return _refusing_option(arguments)
    if head.startswith(b"#!"):
        words = head[2:].partition(b"\n")[0].decode(errors="replace").split()
        if len(words) > 1 and os.path.basename(words[0]) == "env":  # noqa: PTH119 - pathlib takes 5 ms to import
            del words[0]
            words = words[1:] if words[0] in ("-S", "--split-string") else words
        return _refusing_option(words[1:]) if words and _is_python(words[0]) else ""
    if _is_static(head):
        return "it is a static program; the Python programs that it starts are watched"
    return ""


def _found(program: str) -> str | None:
    """As ``shutil.which``, which takes 2 ms to import."""
    folders = [""] if os.sep in program else os.environ.get("PATH", os.defpath).split(os.pathsep)
    paths = (os.path.join(folder, program) for folder in folders)  # noqa: PTH118 - see above
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def _is_python(path: str) -> bool:
    name = os.path.basename(path)  # noqa: PTH119 - see above
    return any(name.startswith(each) and not name[len(each) :].strip("0123456789.td") for each in ("python", "pypy"))


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - see above
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""


def _refusing_option(arguments: Sequence[str]) -> str:
    """Among the options of the interpreter, which end at the program or at ``-c`` and ``-m``."""
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-") or argument in ("-", "--"):
            break
        if argument.startswith("--"):
            continue
        for place, letter in enumerate(argument[1:], 2):
            if letter in _REASONS:
                return _REASONS[letter]
            if letter in _LAST:
                return ""
            if letter in _WITH_VALUE:
                if place == len(argument):
                    next(rest, None)
                break
    return ""


def _is_static(head: bytes) -> bool:
    """An ELF program of 64 bits, at a fixed address, that no loader of libraries starts."""
    if not head.startswith(_ELF) or len(head) < 64 or head[4] != 2 or head[5] != 1:
        return False
    number = int.from_bytes
    offset, size, count = number(head[32:40], "little"), number(head[54:56], "little"), number(head[56:58], "little")
    if offset + size * count > len(head):
        return False
    kinds = {number(head[at : at + 4], "little") for at in range(offset, offset + size * count, size or 1)}
    return number(head[16:18], "little") == _EXECUTABLE and _INTERPRETER_SEGMENT not in kinds
