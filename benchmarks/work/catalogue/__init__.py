"""The programs. Which half one is of, and what is right, was fixed before it was first judged."""

from __future__ import annotations

from benchmarks.work.catalogue import scoring, tuning

PROGRAMS = {program.name: program for program in (*tuning.PROGRAMS, *scoring.PROGRAMS)}
