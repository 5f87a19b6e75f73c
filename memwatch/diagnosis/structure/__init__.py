"""What the heap itself says about a suspect: whether it is garbage, and whether its holder knows a bound."""
