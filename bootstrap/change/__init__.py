"""Changes of a whole installation that can be undone: upgrade, restore, rollback."""
