"""Real sites with planted leaks: ``make bench-sites``. README.md says what is measured."""
