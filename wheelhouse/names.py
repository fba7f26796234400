"""Names and versions of Python packages in the one spelling that everything may be compared by.

Names by PEP 503, versions by PEP 440 (its appendix B, and "Normalization"); no URL, path or second line fits.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NUMBER = r"(0|[1-9][0-9]*)"
_VERSION = re.compile(
    rf"({_NUMBER}!)?{_NUMBER}(\.{_NUMBER})*((a|b|rc){_NUMBER})?(\.post{_NUMBER})?(\.dev{_NUMBER})?"
    r"(\+[a-z0-9]+(\.[a-z0-9]+)*)?"
)
_SEPARATORS = re.compile(r"[-_.]+")
# PEP 440, appendix B, without what only a specifier may hold
_LOOSE = re.compile(
    r"v?(?:([0-9]+)!)?([0-9]+(?:\.[0-9]+)*)"
    r"(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?([0-9]*))?"
    r"(?:-([0-9]+)|[-_.]?(post|rev|r)[-_.]?([0-9]*))?"
    r"(?:[-_.]?(dev)[-_.]?([0-9]*))?"
    r"(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?"
)
_EARLY = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
_LONGEST = 200


def is_name(text: str) -> bool:
    """Whether it is a package's normalised name."""
    return len(text) <= _LONGEST and _NAME.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Whether it is a version in its normal form."""
    return len(text) <= _LONGEST and _VERSION.fullmatch(text) is not None


def normal_name(text: str) -> str:
    """The normalised name, of a text that is a name."""
    return _SEPARATORS.sub("-", text).lower()


def normal_version(text: str) -> str:
    """The version in its normal form; empty for what is none."""
    match = _LOOSE.fullmatch(text.lower()) if len(text) <= _LONGEST else None
    if match is None:
        return ""
    epoch, release, early, early_number, implicit, post, post_number, dev, dev_number, local = match.groups()
    parts = [f"{int(epoch)}!" if epoch and int(epoch) else ""]
    parts.append(".".join(str(int(part)) for part in release.split(".")))
    if early:
        parts.append(f"{_EARLY.get(early, early)}{int(early_number or 0)}")
    if implicit or post:
        parts.append(f".post{int(implicit or post_number or 0)}")
    if dev:
        parts.append(f".dev{int(dev_number or 0)}")
    if local:
        words = _SEPARATORS.split(local)
        parts.append("+" + ".".join(str(int(word)) if word.isdigit() else word for word in words))
    return "".join(parts)
