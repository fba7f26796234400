"""The lock: exact packages with hashes, as pylock.toml (PEP 751), and what it says of their dependencies."""
