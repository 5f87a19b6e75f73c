"""Objects of atom with a ``Dict`` member, one for each request.

Reported as nucleic/atom#202 of 0.10.0: the dict that checks its values does not free what points to its owner.

Holder: none in Python; a C++ object for each dict.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="dict members of atom",
    leaks="native",
    culprit=("native",),
    leaking_release="atom==0.10.0",
    fixed_release="atom==0.10.2",
    source="https://github.com/nucleic/atom/issues/202",
)
_traffic = Traffic(317)
_Settings: Any = None


def setup() -> None:
    global _Settings
    from atom.api import Atom, Dict

    class Settings(Atom):
        """Of a request."""

        values = Dict()

    _Settings = Settings


def step(i: int) -> None:
    _traffic.tick(i)
    for number in range(10):
        settings = _Settings()
        settings.values = {"colour": number}
        assert settings.values["colour"] == number
