"""Package indexes and what is fetched from them: transport, cache, releases, constraint files."""
