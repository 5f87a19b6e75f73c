"""The pages of anomalies and forecasts."""
