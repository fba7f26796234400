"""Data of the internet side: what every bundle carries, pinned by version and hash."""
