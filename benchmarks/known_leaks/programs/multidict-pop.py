"""Keys that are not there."""

import itertools

from multidict import CIMultiDict

made = CIMultiDict({"first": "1"})
numbers = itertools.count()


def call():
    made.pop(f"Key-{next(numbers)}", None)
