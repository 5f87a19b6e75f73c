"""No leak: a few queries of JMESPath on many answers; each search makes an interpreter that refers to itself.

Reported as jmespath/jmespath.py#291.

Holder: cycles of ``TreeInterpreter``, its cache of methods and these, until the next collection.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="interpreters of JMESPath that wait for the collector",
    requires=("jmespath==1.0.1",),
    source="https://github.com/jmespath/jmespath.py/issues/291",
)
_traffic = Traffic(421)
_queries: list[Any] = []


def setup() -> None:
    import jmespath

    _queries[:] = [
        jmespath.compile("instances[?state=='up'].name"),
        jmespath.compile("instances[].{name: name, up: state}"),
        jmespath.compile("instances[*].tags[]"),
    ]


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 10 == 0:
        instances = [
            {"name": f"vm-{i}-{number}", "state": "up", "tags": [f"tag{number}"]} for number in range(1 + i % 6)
        ]
        assert len(_queries[i // 10 % 3].search({"instances": instances})) == len(instances)
