"""The package index that real installs need, asked once a run."""

from __future__ import annotations

import functools
import urllib.request

from bundler.index.simple import PYPI


@functools.cache
def index_problem() -> str:
    """Why no package index can be reached; empty when one can."""
    try:
        with urllib.request.urlopen(f"{PYPI}/pip/", timeout=20):
            return ""
    except OSError as error:
        return f"no package index can be reached ({error})"
