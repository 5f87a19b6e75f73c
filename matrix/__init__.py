"""Tests of the core on every Python and Django: ``make matrix``. The standard library alone; no part of the package."""
