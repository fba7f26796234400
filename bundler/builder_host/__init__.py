"""The machine that makes bundles: what it is, and whether it can fetch and build."""
