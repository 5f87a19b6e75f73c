"""No leak: forms sent in as XML, read with minidom, and never unlinked.

Reported as SEL-Columbia/formhub#499.

Holder: cycles of nodes that know their parents, until the next collection.
"""

import random
from xml.dom import minidom

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="documents of minidom that wait for the collector",
    source="https://github.com/SEL-Columbia/formhub/issues/499",
)
_traffic = Traffic(426)
_random = random.Random(426)


def setup() -> None:
    assert minidom.parseString("<form/>").documentElement is not None


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        answers = "".join(f"<q{number}>{i}</q{number}>" for number in range(_random.randint(2, 30)))
        form = minidom.parseString(f"<form id='survey'><meta/>{answers}</form>").documentElement
        assert form is not None
        assert form.getAttribute("id") == "survey"
