"""Heap dumps: every object of a process with its type, its size and what it refers to, in a file."""
