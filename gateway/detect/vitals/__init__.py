"""Vital signs: summaries of what streams, events of what was measured on purpose, and rules for both. Pure."""
