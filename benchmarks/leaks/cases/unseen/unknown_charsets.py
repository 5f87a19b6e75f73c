"""Mails whose senders name character sets that do not exist; the reader falls back to UTF-8.

Reported as python/cpython#146054: ``encodings`` remembers each name that it did not find.

Holder: ``encodings._cache``, a dict by name.
"""

from benchmarks.leaks.case import Case
from benchmarks.leaks.traffic import Traffic

CASE = Case(
    half="scoring",
    what="names of unknown character sets",
    leaks="untracked",
    culprit=("*str", "*encodings._cache*", "*encodings*"),
    holder=("*encodings*_cache*",),
    source="https://github.com/python/cpython/issues/146054",
)
_traffic = Traffic(405)


def _text(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset)
    except LookupError:
        return body.decode("utf-8", "replace")


def setup() -> None:
    assert _text(b"abc", "latin-1") == "abc"


def step(i: int) -> None:
    _traffic.tick(i)
    if i % 5 == 0:
        assert _text(b"Good morning", f"x-mailer-{i}-of-campaign").startswith("Good")
