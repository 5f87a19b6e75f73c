"""Outages of a whole deployment, one after the other: what is lost, what it costs the watched, how it comes back."""
