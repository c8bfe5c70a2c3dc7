"""Choosing agents: a brief taken apart into needs, the evidence for each, and the set that covers them under a budget."""
