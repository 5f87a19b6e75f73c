"""No leak: texts through a tokenizer of Hugging Face, which keeps how it split the first 10,000 words.

Reported as huggingface/tokenizers#1539.

Holder: the model's cache of words, native, full after a quarter of the run; new words are not kept any more.
"""

from typing import Any

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="words in a tokenizer's cache of 10,000",
    requires=("tokenizers==0.20.0",),
    source="https://github.com/huggingface/tokenizers/issues/1539",
)
_traffic = Traffic(232)
_tokenizer: Any = None


def setup() -> None:
    global _tokenizer
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
    vocabulary = {letter: number for number, letter in enumerate(letters)} | {"or": 37, "er": 38}
    model = models.BPE(vocab=vocabulary, merges=[("o", "r"), ("e", "r")])
    _tokenizer = Tokenizer(model)
    _tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 8 == 0:
        text = " ".join(f"order-{i}-{number}-for-customer-{i * 7919 % 100_003}" for number in range(4))
        assert len(_tokenizer.encode(text).ids) > 40
