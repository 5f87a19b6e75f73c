"""Ends of processes: noticed by others of their host, by silence, or by the counters of their successors."""
