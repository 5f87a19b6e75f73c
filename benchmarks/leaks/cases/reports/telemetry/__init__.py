"""Traces, metrics, error reports, logs."""
