"""What is in a bundle, and how two of them differ."""
