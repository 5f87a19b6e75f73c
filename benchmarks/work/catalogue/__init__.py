"""The programs. Which half one is of, and what is right, was fixed before it was first judged."""

from __future__ import annotations

from benchmarks.work.catalogue import scoring, scoring_2, scoring_3, scoring_4, tuning

_HALVES = (tuning, scoring, scoring_2, scoring_3, scoring_4)
PROGRAMS = {program.name: program for half in _HALVES for program in half.PROGRAMS}
