"""An installation as one value: its choices, its parts, and how its programs are run."""
