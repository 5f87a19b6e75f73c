"""Stack profiles for other tools: pprof, speedscope, collapsed stacks. Pure functions without Django."""
