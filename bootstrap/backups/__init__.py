"""Backups of an installation: what is in one, making, checking and finding them."""
