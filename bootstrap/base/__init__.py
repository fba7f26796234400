"""Processes, console, secrets, small files, locks, accounts: what everything here stands on."""
