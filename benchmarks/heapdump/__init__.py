"""Heap dumps: the pause, the time, the memory, and whether all of the heap is in them."""
