"""When memory is exhausted."""
