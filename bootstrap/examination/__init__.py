"""Facts about an installation that is there; nothing is judged and nothing is changed."""
