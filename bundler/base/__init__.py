"""What everything on the internet side stands on: errors, TOML, digests, archives, progress."""
