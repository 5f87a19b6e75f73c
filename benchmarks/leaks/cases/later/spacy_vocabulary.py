"""A stream of messages through spaCy's tokenizer: every word that was not seen before stays in the vocabulary.

Reported as explosion/spaCy#285, and again as #5083.

Holder: the vocabulary (``nlp.vocab`` and its ``strings``), in pools (of cymem) that Python's
allocator feeds and that only the vocabulary's end frees.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="new words in spaCy's vocabulary",
    leaks="untracked",
    culprit=("untracked", "native", "spacy.*", "*StringStore", "*Vocab"),
    holder=("*vocab*", "*Vocab*", "*StringStore*"),
    requires=("spacy==3.7.5", "click==8.1.8", "numpy==1.26.4"),
    source="https://github.com/explosion/spaCy/issues/285",
)
_traffic = Traffic(201)
_nlp: Any = None


def setup() -> None:
    global _nlp
    import spacy

    _nlp = spacy.blank("en")


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 40 == 0:
        words = " ".join(f"#trend{i + number}" for number in range(5))
        assert len(_nlp(f"more about {words} at t.co/{i:x}")) > 5
