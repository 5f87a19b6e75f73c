"""Every code block of the documents, and what is said before it about how it is shown to be right.

A block is checked by its language. What differs stands in a comment of its own line before it, seen only in the source:

- ``<!-- not run: why -->`` leaves it alone;
- ``<!-- run: settings -->`` takes the lines into the settings and URLs of a fresh project;
- ``<!-- run by: tests/x.py::test_y -->`` names the test that runs it.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")])
PAGES = [page for page in PAGES if "_build" not in page.parts]

NOT_RUN, RUN, RUN_BY = "not run", "run", "run by"
_MARKER = re.compile(r"\s*<!-- (not run|run|run by): (.+?) -->\s*")


@dataclasses.dataclass(frozen=True)
class Block:
    """A code block: where it is, its language, its text, and the marker before it."""

    page: str
    line: int
    language: str
    text: str
    marker: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@functools.cache
def tokens_of(page: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(page.read_text())


def blocks_of_page(page: Path) -> Iterator[Block]:
    """Its code blocks in order; directives of the site (``{toctree}``) are none."""
    before = None
    for token in tokens_of(page):
        if token.type in ("fence", "code_block") and not token.info.startswith("{"):
            said = _MARKER.fullmatch(before.content) if before is not None and before.type == "html_block" else None
            marker, value = said.groups() if said else ("", "")
            line = token.map[0] + 1 if token.map else 0
            yield Block(name_of(page), line, token.info.strip(), token.content, marker, value)
        before = token


def all_blocks() -> list[Block]:
    return [block for page in PAGES for block in blocks_of_page(page)]


def spans_of(page: Path) -> Iterator[str]:
    """The text of every ``inline code`` of the page."""
    for token in tokens_of(page):
        for child in token.children or ():
            if child.type == "code_inline":
                yield child.content


def commands_of(block: Block) -> Iterator[str]:
    """What is typed in a console block, continued lines joined."""
    joined = re.sub(r"\\\n(?:> ?)?\s*", "", block.text)
    for line in joined.splitlines():
        if line.startswith("$ "):
            yield line.removeprefix("$ ").strip()
