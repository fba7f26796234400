"""Certificates as OpenSSL sees them: names, dates, whether key and chain belong to them."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple


def names(path: str) -> Tuple[str, ...]:
    """The names and addresses that the first certificate of a PEM file is for; () where it cannot be read."""
    try:
        return _names(path, Path(path).stat().st_mtime_ns)
    except OSError:
        return ()


def covers(known: Sequence[str], host: str) -> bool:
    """Whether one of the names is that of `host`, a wildcard for one label included (RFC 6125)."""
    wanted = host.lower().rstrip(".")
    try:
        return str(ipaddress.ip_address(wanted)) in known
    except ValueError:
        pass
    _, _, parent = wanted.partition(".")
    return wanted in known or bool(parent and f"*.{parent}" in known)


@lru_cache(maxsize=16)
def _names(path: str, changed: int) -> Tuple[str, ...]:
    """As :func:`names`; `changed` has a replaced file read again."""
    try:
        found = decoded(path)
    except (OSError, ValueError):
        return ()
    return names_in(found)


def names_in(found: Dict[str, Any]) -> Tuple[str, ...]:
    """The names of a certificate as the ssl module shows it."""
    listed = []
    for kind, value in found.get("subjectAltName", ()):
        if kind == "DNS":
            listed.append(str(value).lower())
        elif kind == "IP Address":
            try:
                listed.append(str(ipaddress.ip_address(str(value).strip())))
            except ValueError:
                continue
    return tuple(listed)


def decoded(path: str) -> Dict[str, Any]:
    """The first certificate of a PEM file as the ssl module shows it (``SSLSocket.getpeercert``).

    Raises OSError, or ValueError for a file without one.
    """
    import ssl  # noqa: PLC0415  (most installations never need it)

    try:
        # the only way of the standard library to read one that nobody has sent; in every release since 2.6
        found: Dict[str, Any] = ssl._ssl._test_decode_cert(path)  # type: ignore[attr-defined]
    except ssl.SSLError as error:
        raise ValueError(str(error)) from error
    return found
