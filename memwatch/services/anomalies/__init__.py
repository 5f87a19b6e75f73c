"""Anomalies: the passes that find them, what operators do about them, and forecasts."""
