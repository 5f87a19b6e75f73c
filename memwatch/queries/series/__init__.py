"""Snapshots, roll-ups and their changes, as pages, charts and detection read them."""
