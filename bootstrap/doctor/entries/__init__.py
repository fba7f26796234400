"""What there is to say about each finding, by subject. Data, for output and for the docs."""
