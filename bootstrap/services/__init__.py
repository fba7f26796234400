"""Keeping the components running."""
