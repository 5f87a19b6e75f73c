"""The plug-in for pytest against programs with a known answer, harmless tests, and its own cost."""
