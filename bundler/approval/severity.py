"""How severe an advisory is: by its CVSS vectors, and by the word of the database that it is from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bundler.approval.vulnerabilities import SEVERITIES, UNKNOWN

ORDER = SEVERITIES[: SEVERITIES.index(UNKNOWN)]
_WORDS = {"moderate": "medium", "important": "high"}


def of(advisory: Mapping[str, Any]) -> str:
    """The gravest rating; critical for a malicious package, unknown where nobody rated it."""
    if str(advisory["id"]).startswith("MAL-"):
        return "critical"
    told = [advisory, *advisory.get("affected", [])]
    vectors = [str(entry.get("score", "")) for item in told for entry in item.get("severity") or []]
    found = [_rated(vector) for vector in vectors]
    for item in told:
        word = str((item.get("database_specific") or {}).get("severity", "")).lower()
        found.append(_WORDS.get(word, word))
    known = [word for word in found if word in ORDER]
    return max(known, key=ORDER.index) if known else UNKNOWN


def _rated(vector: str) -> str:
    """The severity of a CVSS vector (2, 3 or 4); empty for none, and for what is no vector."""
    from cvss import CVSS2, CVSS3, CVSS4, CVSSError  # noqa: PLC0415 - only a vulnerability needs it

    kind = CVSS4 if vector.startswith("CVSS:4") else CVSS3 if vector.startswith("CVSS:3") else CVSS2
    try:
        return str(kind(vector).severities()[0] if kind is not CVSS4 else kind(vector).severity).lower()
    except (CVSSError, ValueError, KeyError):
        return ""
