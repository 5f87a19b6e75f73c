"""The container around the process: what its memory is made of, and what else runs in it."""
