"""Whether a file was admitted on a host that admits: ``airferry-admit`` keeps what every role has signed.

A guard against mistakes, not against who exchanges the file: this check is a part of it. What counts is that
root runs ``airferry-admit``, which is not.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from bootstrap.base import trust
from wheelhouse.errors import AirferryError

TRUST = Path("/etc/airferry/trust")
STORE = Path("/var/lib/airferry/store")
_CHUNK = 1 << 20


class NotAdmitted(AirferryError):
    """This host takes only files that were admitted, and this one was not."""

    reference = "not-admitted"
    exit_code = 103


def check(stream: BinaryIO, name: str) -> None:
    """Raise :class:`NotAdmitted` where this host admits, and the file in `stream` was not admitted.

    `name` is that of the file. Without ``/etc/airferry/trust`` every file is taken.
    """
    if not TRUST.exists() and not TRUST.is_symlink():
        return
    sha256 = _digest(stream)
    record = STORE / sha256 / "admitted"
    unsafe = trust.stranger(str(record))
    if record.is_file() and not unsafe:
        return
    raise NotAdmitted(
        f"{name} was not admitted on this host.",
        found=f"sha256 {sha256}" + (f"; {unsafe}" if unsafe else ""),
        needed=f"a record in {STORE}: {TRUST} says that this host takes only what its roles have signed",
        hint=f"As root: airferry-admit {name}.release, with the signatures beside it.",
    )


def _digest(stream: BinaryIO) -> str:
    """The sha256 of the whole file, as ``sha256sum`` and the approval have it."""
    hasher = hashlib.sha256()
    at = stream.tell()
    stream.seek(0)
    for chunk in iter(lambda: stream.read(_CHUNK), b""):
        hasher.update(chunk)
    stream.seek(at)
    return hasher.hexdigest()
