"""Statistics on series of counts: no rule, no threshold of a verdict."""
