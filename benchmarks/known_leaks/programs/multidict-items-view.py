"""Set operations with the items of a multidict on the right."""

import itertools

from multidict import MultiDict

numbers = itertools.count()


def call():
    made = MultiDict({"a": "1"})
    operand = [(f"key-{next(numbers)}", f"value-{next(numbers)}")]
    operand | made.items()
    operand - made.items()
