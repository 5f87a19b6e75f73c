"""Tasks, threads, greenlets, context variables."""
