"""Reading the heap of this process without running any code of the host."""
