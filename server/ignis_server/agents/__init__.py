"""Agents: a catalog of definitions, and which of them, at which length, a project needs."""
