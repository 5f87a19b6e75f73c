"""Ways to die: what is said of a process that ended, over real servers, signals and memory cgroups."""
