"""A forked copy of the process, in which a recording reads the heap at leisure."""
