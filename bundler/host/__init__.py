"""A closed host seen from outside: its facts, judged, and the bundle that fits it."""
