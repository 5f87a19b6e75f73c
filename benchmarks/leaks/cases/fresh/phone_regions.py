"""No leak: telephone numbers of customers in 60 countries, whose rules phonenumbers imports when it first needs them.

Reported as daviddrysdale/python-phonenumbers#13.

Holder: ``PhoneMetadata._region_metadata``, and the imported modules, one for each country.
"""

import random
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="rules of telephone numbers, imported when needed",
    requires=("phonenumbers==8.13.50",),
    source="https://github.com/daviddrysdale/python-phonenumbers/issues/13",
)
_traffic = Traffic(325)
_random = random.Random(325)
_phonenumbers: Any = None
_regions: list[str] = []


def setup() -> None:
    global _phonenumbers
    import phonenumbers

    _phonenumbers = phonenumbers
    _regions[:] = sorted(phonenumbers.SUPPORTED_REGIONS)[::4][:60]


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        region = _random.choice(_regions)
        example = _phonenumbers.example_number(region)
        number = _phonenumbers.parse(_phonenumbers.format_number(example, 1), region)
        assert _phonenumbers.is_valid_number(number)
