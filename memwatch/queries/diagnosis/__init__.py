"""Recordings, what they found, and what is known of causes."""
