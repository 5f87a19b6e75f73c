"""From a series of figures to a verdict: what leaks, what only looks like it. Pure functions of values."""

from memwatch.detection.case import Thresholds
from memwatch.detection.drift import compare
from memwatch.detection.engine import detect_leaks, judge
from memwatch.detection.history import History
from memwatch.detection.lives.pool_rows import judge_lives
from memwatch.detection.verdict import Verdict

__all__ = ["History", "Thresholds", "Verdict", "compare", "detect_leaks", "judge", "judge_lives"]
