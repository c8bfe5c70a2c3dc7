"""Handlers for workers: things that can do a step."""
