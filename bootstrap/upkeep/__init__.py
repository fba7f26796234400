"""Use cases of an installation that is there, between install and uninstall."""
