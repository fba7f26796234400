"""The commands, as they stand in a bundle and in an installation."""
