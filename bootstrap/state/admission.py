"""Whether a file was admitted on a host that admits: ``airferry-admit`` keeps what every role has signed.

A guard against mistakes, not against who exchanges the file: this check is a part of it. What counts is that
root runs ``airferry-admit``, which is not.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Dict, List, Optional, Tuple

from bootstrap.base import smallfile, trust
from bootstrap.state import receipt
from bootstrap.state.home import Home
from wheelhouse import layout
from wheelhouse.errors import AirferryError
from wheelhouse.manifest import Manifest

TRUST = Path("/etc/airferry/trust")
STORE = Path("/var/lib/airferry/store")
_CHUNK = 1 << 20
_LARGEST, _LARGEST_MANIFEST = 1 << 20, layout.MAX_MANIFEST
_HEAD = ("file", "sha256", "list", "at", "by")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class NotAdmitted(AirferryError):
    """This host takes only files that were admitted, and this one was not."""

    reference = "not-admitted"
    exit_code = 109


class OlderThanInstalled(AirferryError):
    """This host admits, and the bundle is older than the one that is installed."""

    reference = "older-than-installed"
    exit_code = 104


@dataclass(frozen=True)
class Signer:
    """Who has signed in a role: the name in root's trust, and the fingerprint of the key."""

    role: str
    name: str
    key: str


@dataclass(frozen=True)
class Listed:
    """A line of the release list."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Admission:
    """What ``airferry-admit`` has recorded of a file: when (RFC 3339, UTC) and by whom, and who had signed.

    `list_sha256` is that of the release list, `listed` its lines. `problem` says why the record is not to be
    believed: it, or a folder above it, is not root's alone.
    """

    file: str
    sha256: str
    list_sha256: str
    at: str
    by: str
    signers: Tuple[Signer, ...]
    listed: Tuple[Listed, ...]
    problem: str = ""


def admits() -> bool:
    """Whether this host takes only what was admitted."""
    return TRUST.exists() or TRUST.is_symlink()


def check(stream: BinaryIO, name: str) -> str:
    """The sha256 of the whole file in `stream`; raises :class:`NotAdmitted` where it was not admitted.

    `name` is that of the file. Without ``/etc/airferry/trust`` every file is taken.
    """
    sha256 = digest(stream)
    if not admits():
        return sha256
    record = STORE / sha256 / "admitted"
    unsafe = trust.stranger(str(record))
    if record.is_file() and not unsafe:
        return sha256
    raise NotAdmitted(
        f"{name} was not admitted on this host.",
        found=f"sha256 {sha256}" + (f"; {unsafe}" if unsafe else ""),
        needed=f"a record in {STORE}: {TRUST} says that this host takes only what its roles have signed",
        hint=f"As root: airferry-admit {name}.release, with the signatures beside it.",
    )


def check_age(installed: Optional[Manifest], new: Manifest) -> None:
    """Raise :class:`OlderThanInstalled` where this host admits, and `new` is an older bundle of that release.

    An older release is refused anywhere (bootstrap.change.upgrade_rules).
    """
    if not installed or not admits() or new.airflow != installed.airflow or new.created >= installed.created:
        return
    raise OlderThanInstalled(
        f"This bundle is older than the one that is installed ({installed.bundle_id}).",
        found=f"Airflow {new.airflow}, dated {new.created}",
        needed=f"dated {installed.created} or later, on a host that takes only what was admitted",
        hint="Where that is meant: --allow-older",
    )


def installed(home: Home) -> Optional[Manifest]:
    """The manifest of the bundle that is installed, where this host admits and it can be read."""
    found = receipt.find(home.receipt) if admits() else None
    if not found or found.removed:
        return None
    try:
        return Manifest.loads(
            smallfile.text(home.release(found.bundle_id).manifest, largest=_LARGEST_MANIFEST)
        )
    except (OSError, AirferryError):
        return None


def find(sha256: str) -> Optional[Admission]:
    """The record of the file with that digest; None where there is none that can be read."""
    if not _SHA256.fullmatch(sha256):
        return None
    folder = STORE / sha256
    try:
        record = smallfile.text(folder / "admitted", largest=_LARGEST)
        listed = smallfile.text(folder / "list", largest=_LARGEST)
    except OSError:
        return None
    head: Dict[str, str] = {}
    signers: List[Signer] = []
    for line in record.splitlines():
        word, _, rest = line.partition(" ")
        if word in _HEAD and word not in head:
            head[word] = rest
        else:
            name, _, key = rest.partition(" ")
            signers.append(Signer(word, name, key))
    lines = (line.partition("  ") for line in listed.splitlines())
    problem = trust.stranger(str(folder / "admitted"))
    if not problem and (head.get("sha256") != sha256 or head.get("list") != _sum(folder / "list")):
        problem = "it tells of another file or list than the one that it lies beside"
    return Admission(
        head.get("file", ""), sha256, head.get("list", ""), head.get("at", ""), head.get("by", ""),
        tuple(signers), tuple(Listed(name, digest) for digest, _, name in lines), problem,
    )  # fmt: skip


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest(stream: BinaryIO) -> str:
    """The sha256 of the whole file, as ``sha256sum`` and the approval have it; `stream` stays where it is."""
    hasher = hashlib.sha256()
    at = stream.tell()
    stream.seek(0)
    for chunk in iter(lambda: stream.read(_CHUNK), b""):
        hasher.update(chunk)
    stream.seek(at)
    return hasher.hexdigest()
