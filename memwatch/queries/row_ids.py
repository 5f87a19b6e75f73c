"""Ids of rows as addresses name them."""

from __future__ import annotations


def is_id(text: str) -> bool:
    """Whether the text is a number that an id's column can be asked for."""
    return text.isascii() and text.isdecimal() and len(text) <= 18
