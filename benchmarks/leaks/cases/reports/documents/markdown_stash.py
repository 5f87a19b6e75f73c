"""Comments rendered by one Markdown instance that is never reset: it stashes each block of raw HTML.

Reported as Python-Markdown/markdown#305, and found in mozilla/standup#293.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="blocks of HTML in the stash of a Markdown instance",
    leaks="untracked",
    culprit=("untracked", "native", "list", "markdown.*"),
    requires=("markdown==3.7",),
    source="https://github.com/Python-Markdown/markdown/issues/305",
)
_traffic = Traffic(64)
_markdown: Any = None


def setup() -> None:
    global _markdown
    import markdown

    _markdown = markdown.Markdown()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 400 == 0:
        _markdown.convert(f"A comment.\n\n<div>\n{f'<p>number {i}</p>' * 400}\n</div>\n")
