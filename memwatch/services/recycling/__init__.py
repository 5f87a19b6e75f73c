"""Recycling workers: policies, checks, and what becomes of each recycle."""
