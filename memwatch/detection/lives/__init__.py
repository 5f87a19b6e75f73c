"""Recycled workers: their lives are too short for a verdict each, and are judged together."""
