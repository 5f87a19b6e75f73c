"""What an export over OTLP costs, without the network."""
