"""Wheels from source distributions, and what this machine needs to build them."""
