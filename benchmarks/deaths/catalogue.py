"""All programs, by name."""

from __future__ import annotations

from benchmarks.deaths.scoring_half import SCORING
from benchmarks.deaths.second_scoring_half import SECOND_SCORING
from benchmarks.deaths.tuning_half import TUNING

PROGRAMS = {program.name: program for program in (*TUNING, *SCORING, *SECOND_SCORING)}
