"""TOML reading on every Python that this runs on."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

TOMLError = tomllib.TOMLDecodeError


def loads(text: str) -> dict[str, Any]:
    """Parse a document; raises :data:`TOMLError`."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except RecursionError as error:
        raise TOMLError("nested too deeply") from error
    return data
