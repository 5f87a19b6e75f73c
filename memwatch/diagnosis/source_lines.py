"""Lines of source, and the functions that they belong to, read from the files themselves.

Not through :mod:`linecache`, which keeps every file in the host's memory and asks the host's module loaders.
"""

from __future__ import annotations

import io
import os
import re
import stat
import tokenize

from memwatch.sampling.type_names import clean

MOST_FILE_BYTES = 2 * 1024 * 1024
_HEAD = re.compile(r"([ \t]*)(?:async[ \t]+)?(def|class)[ \t]+(\w+)")


class Sources:
    """Reads each file once; what is no ordinary Python file, or too large, has no lines."""

    def __init__(self) -> None:
        self._files: dict[str, list[str]] = {}

    def code(self, file: str, line: int) -> str:
        """The line without its indentation; empty where it cannot be read."""
        lines = self._lines(file)
        return clean(lines[line - 1].strip()) if 0 < line <= len(lines) else ""

    def length(self, file: str) -> int:
        """How many lines it has."""
        return len(self._lines(file))

    def function(self, file: str, line: int) -> str:
        """The qualified name of the innermost function or class around the line, judged by indentation.

        ``<module>`` outside of all; empty where the file cannot be read.
        """
        lines = self._lines(file)
        if not 0 < line <= len(lines):
            return ""
        names: list[str] = []
        text = lines[line - 1]
        depth = _indentation(text) + (1 if _HEAD.match(text) else 0)
        for number in range(line - 1, -1, -1):
            head = _HEAD.match(lines[number])
            if head is None or len(head[1].expandtabs()) >= depth:
                continue
            depth = len(head[1].expandtabs())
            inner = head[2] == "def" and bool(names)
            names.append(f"{head[3]}.<locals>" if inner else head[3])
            if depth == 0:
                break
        return clean(".".join(reversed(names))) or "<module>"

    def _lines(self, file: str) -> list[str]:
        if file not in self._files:
            self._files[file] = _read(file)
        return self._files[file]


def _indentation(text: str) -> int:
    expanded = text.expandtabs()
    return len(expanded) - len(expanded.lstrip())


def _read(file: str) -> list[str]:
    if not file.endswith(".py"):
        return []
    try:
        with open(file, "rb", opener=_without_waiting) as opened:
            found = os.fstat(opened.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_FILE_BYTES:
                return []
            content = opened.read(MOST_FILE_BYTES)
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding, "replace").splitlines()
    except (OSError, SyntaxError, ValueError, LookupError):
        return []


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a file's name may turn out to be a pipe's
