"""Recordings: their pages, forms, downloads and triggers."""
