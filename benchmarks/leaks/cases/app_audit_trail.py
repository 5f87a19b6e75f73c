"""A record of each tenth request, with its fields, in a list of the process."""

from dataclasses import dataclass, field

from benchmarks.leaks.case import Case

CASE = Case(
    half="scoring",
    what="audit records (a dataclass with a dict) kept",
    leaks="objects",
    culprit=("*.Entry",),
)


@dataclass
class Entry:
    """What a request did."""

    number: int
    fields: dict[str, object] = field(default_factory=dict)


_trail: list[Entry] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    temporary = [Entry(n, {"at": [n]}) for n in range(i % 5)]
    if i % 10 == 0:
        _trail.append(Entry(i, {"path": f"/orders/{i}", "user": len(temporary)}))
