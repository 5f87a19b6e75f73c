"""A program of ``benchmarks.leaks`` as a marked test: a call is a step. Run by :mod:`benchmarks.gate.programs`."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

import pytest

from benchmarks.leaks.case import load

_numbers = itertools.count()


@pytest.fixture(scope="module")
def step() -> Callable[[int], None]:
    program = load(os.environ["GATE_CASE"])
    program.setup()
    return program.step


@pytest.mark.no_leaks(
    calls=int(os.environ.get("GATE_CALLS", "40000")), warmup=1, budget=float(os.environ.get("GATE_BUDGET", "600"))
)
def test_program(step: Callable[[int], None]) -> None:
    step(next(_numbers))
