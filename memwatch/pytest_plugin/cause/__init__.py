"""Why something grows: what holds it, and which line makes it."""
