"""Workflow: definitions of what several agents do together, and the runs of them."""
