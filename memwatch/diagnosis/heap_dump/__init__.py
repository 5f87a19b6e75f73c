"""The recording ``heap_dump``: a copy of the process writes down every object, with its size and what it refers to."""
