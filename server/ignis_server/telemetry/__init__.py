"""Telemetry: what the service tells about itself, over OTLP."""
