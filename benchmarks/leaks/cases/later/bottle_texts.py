"""Answers made of a template whose text differs each time, by bottle's ``template()``.

Reported as bottlepy/bottle#1274: what is not the same text with the same look-up list is compiled again, and kept.

Holder: ``bottle.TEMPLATES``, a dict.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="compiled templates in bottle's TEMPLATES",
    leaks="objects",
    culprit=("bottle.*", "*.TEMPLATES", "*SimpleTemplate"),
    holder=("*bottle.TEMPLATES",),
    requires=("bottle==0.13.2",),
    source="https://github.com/bottlepy/bottle/issues/1274",
)
_traffic = Traffic(206)
_template: Any = None


def setup() -> None:
    global _template
    import bottle

    _template = bottle.template


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        page = _template(f"<h1>Order {i}</h1>\n% for row in rows:\n<p>{{{{row}}}}</p>\n% end\n", rows=["bread", "salt"])
        assert page.count("<p>") == 2
