"""The programs. Which half one is of, and what is right, was fixed before it was first judged."""

from __future__ import annotations

from benchmarks.work.catalogue import scoring, scoring_2, tuning

PROGRAMS = {program.name: program for program in (*tuning.PROGRAMS, *scoring.PROGRAMS, *scoring_2.PROGRAMS)}
