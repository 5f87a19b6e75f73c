"""A hash for each upload, kept when the upload has ended: OpenSSL's memory."""

import hashlib
from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(half="tuning", what="hashlib objects that are kept", leaks="native", culprit=("untracked",))
_uploads: list[Any] = []


def setup() -> None:
    pass


def step(i: int) -> None:
    if i % 20 == 0:
        digest = hashlib.sha256()
        digest.update(b"%d" % i)
        _uploads.append(digest)
