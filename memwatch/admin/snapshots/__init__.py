"""Snapshots and what is made of them: comparisons, baselines, roll-ups."""
