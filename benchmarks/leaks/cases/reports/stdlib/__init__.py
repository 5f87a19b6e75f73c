"""CPython and its standard library."""
