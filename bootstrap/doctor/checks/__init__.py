"""Checks by subject; each takes facts and needs and yields findings."""
