"""Texts that are interned and dropped."""

import itertools
import sys

numbers = itertools.count()


def call():
    sys.intern(f"name-{next(numbers)}")
