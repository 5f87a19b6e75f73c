"""Lets this process end after its job, on command, as its server would let it end by itself."""
