"""Which view or task leaks: programs with planted leaks, what counting jobs costs, and peaks. See README.md."""
