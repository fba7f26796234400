"""The interpreter of an installation and its environments: which one, carried or not, and the venvs on it."""
