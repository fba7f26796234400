"""``python -m bundler`` is ``airferry``."""

from __future__ import annotations

import sys

from bundler.cli import main

sys.exit(main())
