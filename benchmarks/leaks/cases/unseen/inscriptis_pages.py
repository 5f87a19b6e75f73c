"""No leak: pages of HTML turned into text with inscriptis, whose converter refers to its own methods.

Reported as weblyzard/inscriptis#65.

Holder: cycles of ``Inscriptis``, its tables of methods and these, until the next collection.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="converters of HTML that wait for the collector",
    requires=("inscriptis==2.5.0", "lxml==5.3.1", "requests==2.32.3"),
    source="https://github.com/weblyzard/inscriptis/issues/65",
)
_traffic = Traffic(423)
_get_text: Any = None


def setup() -> None:
    global _get_text
    from inscriptis import get_text

    _get_text = get_text


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 80 == 0:
        rows = "".join(f"<li>Article {i} costs <b>{number}</b></li>" for number in range(3 + i % 20))
        text = _get_text(f"<html><body><h1>Offer {i}</h1><ul>{rows}</ul></body></html>")
        assert f"Article {i}" in text
