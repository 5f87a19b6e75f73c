"""Which lines allocate: tracemalloc and memray, for a limited time."""
