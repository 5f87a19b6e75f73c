"""Words of an older English, which an operator has to read twice, are in no text that ships."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KINDS = (".py", ".c", ".md", ".html", ".js", ".txt", ".yml")
FOLDERS = ("memwatch", "docs", "monitoring", "project")
MARKERS = re.compile(
    r"\b(?:anew|meanwhile|of late|shall|nobody|whoever|whosoever|so-manieth|for want of|lest|"
    r"(?:is|are|was|were|be|been) (?:not )?told|tells? of|whence|thereof)\b",
    re.IGNORECASE,
)


def texts() -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in KINDS]
    return sorted(path for path in found if "migrations" not in path.parts and "static" not in path.parts)


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *texts()], ids=lambda path: path.name)
def test_texts_use_plain_english(path: Path) -> None:
    lines = path.read_text().splitlines()
    found = [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if MARKERS.search(line)]
    assert found == [], f"say it in plain English: {path.relative_to(ROOT)}"


def test_the_markers_are_recognised() -> None:
    assert MARKERS.search("the process is told, and begins anew")
    assert not MARKERS.search("the process gets a command and starts again")
