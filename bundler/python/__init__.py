"""The interpreter that a bundle carries."""
