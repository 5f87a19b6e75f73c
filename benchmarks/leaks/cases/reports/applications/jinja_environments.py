"""No leak: an environment of Jinja for each mail, with a finaliser, in cycles with its templates.

Reported as pallets/jinja#537: Python 2 could not free such cycles.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="environments of Jinja with a finaliser",
    requires=("jinja2==3.1.4",),
    source="https://github.com/pallets/jinja/issues/537",
)
_traffic = Traffic(82)
_environment: Any = None
_done = [0]


def setup() -> None:
    global _environment
    import jinja2

    class Mail(jinja2.Environment):
        def __del__(self) -> None:
            _done[0] += 1

    _environment = Mail


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 200 == 0:
        assert _environment().from_string("Dear {{ name }}").render(name=f"customer {i}")
