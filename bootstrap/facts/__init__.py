"""Collectors: what this host is, as JSON-able values. They judge nothing, change nothing and end in time."""
