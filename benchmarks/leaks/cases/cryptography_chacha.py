"""Tokens encrypted, each with a cipher of its own."""

from typing import Any

from benchmarks.leaks.case import Case

CASE = Case(
    half="tuning",
    what="cryptography's ChaCha20Poly1305",
    leaks="objects",
    culprit=("_cffi_backend.*", "weakref*", "tuple"),
    leaking_release="cryptography==41.0.2",
    fixed_release="cryptography==41.0.3",
    source="https://cryptography.io/en/latest/changelog/#v41-0-3",
)
_cipher: Any = None


def setup() -> None:
    global _cipher
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    _cipher = ChaCha20Poly1305


def step(i: int) -> None:
    if i % 5 == 0:
        _cipher(b"k" * 32).encrypt(b"n" * 12, b"order %d" % i, None)
