"""What a process was doing when it ended: written by itself, where it outlives it, and collected by the others."""
