"""Delivery: what the outbox holds goes to every destination, by OTLP's rules, for as long as it takes."""
