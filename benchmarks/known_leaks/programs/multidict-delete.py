"""Entries that are deleted."""

import itertools

from multidict import CIMultiDict

numbers = itertools.count()


def call():
    made = CIMultiDict()
    key = f"Key-{next(numbers)}"
    made[key] = f"value-{next(numbers)}"
    del made[key]
