"""The commands: each parses its options, runs a use case and gives back the result."""
