"""Measurements, and the demonstration that `make demo` runs."""
