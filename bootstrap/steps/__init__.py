"""The changes that an installation is made of, one noun a module."""
