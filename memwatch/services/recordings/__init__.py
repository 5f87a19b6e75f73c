"""Recordings: asked for, followed, stored, drawn."""
