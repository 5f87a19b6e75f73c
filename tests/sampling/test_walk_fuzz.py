"""The compiled walk in bad company, shortly; an hour of it in `make soak`. Other Pythons run ``walk_fuzz.py``."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.sampling import walk_fuzz
from tests.sampling.ways import need_walk


def fuzz(seconds: float, seed: int) -> str:
    need_walk()
    command = [sys.executable, "-m", walk_fuzz.__name__, "--seconds", str(seconds), "--seed", str(seed)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds + 120)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.mark.parametrize("seed", [1, 2], ids=["forks and tracemalloc", "sub-interpreters"])
def test_a_walk_survives_what_a_program_may_do_and_counts_right(seed: int) -> None:
    told = fuzz(3.0, seed)
    assert "'walks'" in told
    assert "'truths'" in told


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 13))
def test_a_walk_survives_an_hour_of_it(seed: int) -> None:
    assert "'truths'" in fuzz(300.0, seed)
