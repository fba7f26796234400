"""How grave a finding is: it will not work, it may not (or not for long), good to know, all is well."""

from __future__ import annotations

BLOCKER = "blocker"
WARNING = "warning"
NOTE = "note"
OK = "ok"
SEVERITIES = (BLOCKER, WARNING, NOTE, OK)
