"""The internet side: resolves, fetches, builds and writes the bundle."""
