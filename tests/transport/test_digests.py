"""The digests are those of the standard library."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from memwatch.transport import digests


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 200])
@pytest.mark.parametrize("data", [b"", b"a command", b"x" * 1000])
def test_the_hmac_is_that_of_the_standard_library(length: int, data: bytes) -> None:
    key = bytes(range(length))
    assert digests.hmac_sha256(key, data) == hmac.new(key, data, hashlib.sha256).hexdigest()
    assert digests.sha256_hex(data) == hashlib.sha256(data).hexdigest()


def test_equal_is_so_for_the_same_bytes_alone() -> None:
    assert digests.equal(b"abc", b"abc")
    assert not digests.equal(b"abc", b"abx")
    assert not digests.equal(b"abc", b"ab")


def test_tokens_are_as_long_as_asked_for_and_never_the_same() -> None:
    assert len(digests.token_hex(8)) == 16
    assert digests.token_hex(8) != digests.token_hex(8)
