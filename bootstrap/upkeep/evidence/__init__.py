"""Evidence of an installation, to carry out for an audit: what was approved, and what is here now."""
