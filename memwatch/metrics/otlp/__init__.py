"""The fleet's figures and events over OTLP, from the exporter's process alone. Needs the extra ``otel``."""
