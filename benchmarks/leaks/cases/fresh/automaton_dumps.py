"""An automaton of pyahocorasick that is pickled for each worker which asks for it.

Reported as WojciechMula/pyahocorasick#219 of 2.1.0: references to the pickled bytes and their list are lost.

Holder: none; the lists and bytes are referred to by nothing.
"""

import pickle
from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="pickled automatons",
    leaks="objects",
    culprit=("*list", "*bytes", "untracked", "native"),
    requires=("pyahocorasick==2.1.0",),
    source="https://github.com/WojciechMula/pyahocorasick/issues/219",
)
_traffic = Traffic(318)
_automaton: Any = None


def setup() -> None:
    global _automaton
    import ahocorasick

    _automaton = ahocorasick.Automaton()
    for number in range(30):
        _automaton.add_word(f"word-{number}", number)
    _automaton.make_automaton()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 50 == 0:
        assert pickle.dumps(_automaton)
