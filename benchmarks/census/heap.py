"""A heap to measure on: about as many gc-tracked objects as asked for, in the proportions of a web application."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

CLASSES = 300


def build(objects: int, seed: int = 1) -> list[Any]:
    """Rows of instances, dicts, lists, tuples, closures and sets, with texts and numbers in them."""
    chance = random.Random(seed)
    classes = [type(f"Model{number:03}", (), {"__module__": "app.models"}) for number in range(CLASSES)]
    kept: list[Any] = []
    made = 0
    while made < objects:
        number = len(kept)
        row: Any = classes[int(CLASSES * chance.random() ** 2.5)]()
        row.pk, row.name = number, f"name-{number}"
        cells = [row, number]
        kept += [{"row": row, "cells": cells, "number": number}, (row, cells, f"key-{number}"), {"of": (number, row)}]
        made += 6
        kind = chance.randrange(10)
        if kind < 3:
            kept.append(_closure(row))
            made += 3
        elif kind < 5:
            kept.append({row})
            made += 1
        elif kind == 5:
            kept.append([{"a": cells}, (cells,), (row, number)])
            made += 4
    return kept


def churn(kept: list[Any], objects: int, rounds: int = 3) -> None:
    """Free and rebuild parts in random order, so that addresses are scattered as in an old worker."""
    chance = random.Random(7)
    for round_ in range(rounds):
        chance.shuffle(kept)
        del kept[::2]
        kept += build(objects // 2, seed=round_ + 2)
    chance.shuffle(kept)


def _closure(value: Any) -> Callable[[], Any]:
    return lambda: value
