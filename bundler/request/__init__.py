"""What a user asks for: command line, airferry.toml and requirement files, as one value."""
