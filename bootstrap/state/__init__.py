"""What is on disk about an installation: paths, receipt, journal, registry, backups."""
