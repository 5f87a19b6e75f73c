"""Imported by the file that ``memwatch run --install`` writes: has this process watched."""

from memwatch.launch import starter

starter.begin()
