"""The baseline of known leaks: they pass, new ones fail, and fixed ones must be removed from the file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from memwatch.pytest_plugin.findings import Leak
from memwatch.pytest_plugin.noted import CALLS, KNOWN, LEAK, UNDECIDED, Note

DEFAULT_FILE = "leaks.toml"
FASTER = 1.5
"""A leak that grows so many times as fast as the baseline says is a new one."""
FIELDS = ("test", "type", "per_call", "unit", "where", "holder")
_HEAD = "# Known leaks, written by pytest --memwatch-baseline-write. A leak that is fixed must be removed from here.\n"

Entries = dict[tuple[str, str], Mapping[str, Any]]
"""By test and type."""


class Ratchet:
    """One file, for one run."""

    def __init__(self, file: Path, known: Entries, *, writes: bool) -> None:
        self._file = file
        self._known = known
        self._writes = writes
        self.fixed: list[tuple[str, str]] = []
        """Test and type of entries that no longer leak, after :meth:`finish`."""
        self._written = 0

    @classmethod
    def of(cls, config: pytest.Config) -> Ratchet:
        """As the options say. Raises ``pytest.UsageError`` for a file that is none."""
        writes = bool(config.getoption("memwatch_baseline_write"))
        file = config.invocation_params.dir / (config.getoption("memwatch_baseline") or DEFAULT_FILE)
        if writes and not file.exists():
            return cls(file, {}, writes=True)
        try:
            return cls(file, parsed(file.read_text(encoding="utf-8")), writes=writes)
        except OSError as error:
            remedy = "write it with --memwatch-baseline-write"
            raise pytest.UsageError(f"--memwatch-baseline {file}: {error.strerror}; {remedy}") from None
        except ValueError as error:
            raise pytest.UsageError(f"--memwatch-baseline {file}: {error}") from None

    def knows(self, test: str, leak: Leak) -> bool:
        """Whether it may pass. While the baseline is written, every leak may."""
        if self._writes:
            return True
        entry = self._known.get((test, leak.growth.type))
        return entry is not None and leak.growth.per_call <= FASTER * entry["per_call"]

    def finish(self, noted: Sequence[Note]) -> None:
        """With all that the run noted: find what is fixed, or write the file."""
        unsure = {note.test for note in noted if note.name == UNDECIDED}
        measured = {note.test for note in noted if note.name == CALLS} - unsure
        leaks: Entries = {}
        for note in noted:
            if note.name in (KNOWN, LEAK):
                leak = json.loads(note.value)
                leaks[note.test, leak["type"]] = {"test": note.test, **leak}
        gone = [key for key in self._known if key[0] in measured and key not in leaks]
        if not self._writes:
            self.fixed = gone
            return
        entries = {key: entry for key, entry in self._known.items() if key not in gone} | leaks
        self._file.write_text(written(entries), encoding="utf-8")
        self._written = len(entries)

    def lines(self) -> Iterator[str]:
        """What is said of it at the end."""
        if self._writes:
            yield f"{self._written} known leak{'' if self._written == 1 else 's'} written to {self._file}"
        for test, name in self.fixed:
            yield f"fixed: {test} no longer leaks {name}: remove its entry from {self._file}"


def parsed(text: str) -> Entries:
    """The entries of a file. Raises :class:`ValueError` that says which entry is wrong."""
    found: Entries = {}
    for number, entry in enumerate(tomllib.loads(text).get("leak", []), start=1):
        is_whole = isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in ("test", "type"))
        if not is_whole or not isinstance(entry.get("per_call"), int | float):
            raise ValueError(f"entry {number} of [[leak]] needs test and type (texts) and per_call (a number)")
        found[entry["test"], entry["type"]] = entry
    return found


def written(entries: Entries) -> str:
    """The file's text, in a stable order."""
    parts = [_HEAD]
    for key in sorted(entries):
        entry = entries[key]
        lines = [f"{name} = {json.dumps(entry[name], ensure_ascii=False)}" for name in FIELDS if name in entry]
        parts.append("\n".join(["[[leak]]", *lines, ""]))
    return "\n".join(parts)
