"""How many references there are to an object."""

from __future__ import annotations

import sys
from typing import Any


def references(of: list[Any]) -> int:
    """Those to the only object of a list that the caller has made for this, the list's included.

    ``sys.getrefcount(local)`` says one less where Python 3.14 or newer lends the local variable's own reference, which
    depends on the lines around it.
    """
    (count,) = map(sys.getrefcount, of)
    return count
