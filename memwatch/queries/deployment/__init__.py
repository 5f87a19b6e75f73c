"""memwatch itself: its counters, its tables, what happened, how it is set up."""
