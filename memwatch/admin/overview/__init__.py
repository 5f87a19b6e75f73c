"""The first page: what leaks, what is silent, what grows."""
