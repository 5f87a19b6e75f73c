"""Names of test users of a sandbox that nobody else has, from Faker.

Told in joke2k/faker#1226: ``unique`` remembers all values that it gave, until it is told to forget them.

Holder: ``UniqueProxy._seen``, a dict of sets.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="values that Faker gave",
    leaks="untracked",
    culprit=("*str", "*_seen*", "*UniqueProxy*"),
    holder=("*_seen*", "*UniqueProxy*", "*_unique*"),
    requires=("faker==33.1.0", "python-dateutil==2.9.0.post0", "six==1.16.0", "typing-extensions==4.12.2"),
    source="https://github.com/joke2k/faker/pull/1226",
)
_traffic = Traffic(409)
_fake: Any = None


def setup() -> None:
    global _fake
    from faker import Faker

    _fake = Faker()
    _fake.seed_instance(409)


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 5 == 0:
        assert "-" in _fake.unique.bothify(text="user-????-########")
