"""A small shop that leaks on purpose, to try memwatch on: `make demo`."""
