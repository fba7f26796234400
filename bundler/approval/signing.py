"""Signatures over ``FILE.release``: by the builder and by who approves, with keys of SSH or of OpenPGP.

The roles are told apart by the namespace of an SSH signature (OpenSSH's PROTOCOL.sshsig), or by the keyring
that a host has for each role. Keys stay with their agents: nothing here reads one.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from bootstrap.base import process
from bundler.approval import papers, release_list
from bundler.base.digest import file_digest
from bundler.base.errors import InvalidRequest
from wheelhouse.errors import AirferryError

NAMESPACE = "airferry-"
_AGENTS = ("SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY", "GNUPGHOME", "GPG_AGENT_INFO")


class Role(str, Enum):
    """In which role a list is signed."""

    BUILDER = "builder"
    APPROVER = "approver"


class SigningFailed(AirferryError):
    """What lies beside a release list is not what it says, or the key has made no signature."""

    reference = "signing-failed"
    exit_code = 105


@dataclass(frozen=True)
class Signature:
    """A signature: its file, the role, and how many files it covers."""

    path: Path
    role: Role
    files: int


def sign(path: Path, role: Role, key: str, *, openpgp: bool = False) -> Signature:
    """Sign the release list at `path` with a key file of SSH (a public one with its agent) or an OpenPGP key.

    Every file of the list is compared first; the bundle itself may be missing where all its parts are there.
    Raises :class:`SigningFailed`, ReleaseListInvalid, OutputFailed.
    """
    if not path.name.endswith(release_list.SUFFIX):
        raise InvalidRequest(
            "A signature covers a release list.",
            found=path.name,
            needed="FILE.release",
            hint="airferry dossier FILE and airferry split FILE write it.",
        )
    file = path.with_name(path.name[: -len(release_list.SUFFIX)])
    listed = release_list.read(path)
    _compare(file, listed)
    made = _openpgp(key, listed.text) if openpgp else _ssh(key, role, listed.text)
    suffix = f"{release_list.SUFFIX}.{role.value}.{'asc' if openpgp else 'sig'}"
    return Signature(papers.write(file, {suffix: made.encode()})[suffix], role, len(listed.digests))


def _compare(file: Path, listed: release_list.ReleaseList) -> None:
    """Raise :class:`SigningFailed` unless all files of the list are beside it, and are those."""
    wrong = []
    parts = [
        path
        for path in map(file.with_name, listed.digests)
        if path.suffix[1:].isdigit() and path.stem == file.name
    ]
    for name, sha256 in listed.digests.items():
        there = file.with_name(name)
        covers = [there] if there.exists() or name != file.name else parts
        missing = [path.name for path in covers if not path.is_file()]
        if missing or not covers:
            wrong.append(f"{', '.join(missing) or name} is missing")
        elif file_digest(*covers) != sha256:
            wrong.append(f"{name} has changed" if covers == [there] else f"{name} is not what the parts make")
    if file.name not in listed.digests:
        wrong.append(f"{file.name} is not listed")
    if wrong:
        raise SigningFailed(
            f"{listed.path.name} was not signed: what is beside it is not what it lists.",
            found="; ".join(wrong),
            hint="Copy these files again; or, where they were made, list them again: airferry dossier FILE.",
        )


def _ssh(key: str, role: Role, text: str) -> str:
    command = ["ssh-keygen", "-Y", "sign", "-n", NAMESPACE + role.value, "-f", key]
    return _run(
        command, text, "openssh-client", f"Load it once: ssh-add {shlex.quote(key.removesuffix('.pub'))}"
    )


def _openpgp(key: str, text: str) -> str:
    command = ["gpg", "--batch", "--detach-sign", "--armor", "--local-user", key, "--output", "-"]
    return _run(command, text, "gnupg", "Unlock it in the agent once: gpg --clear-sign </dev/null")


def _run(command: list[str], text: str, package: str, unlock: str) -> str:
    agents = {name: os.environ[name] for name in _AGENTS if name in os.environ}
    try:
        done = process.run(
            command, what=f"sign with {command[0]}", env=process.environment(agents), stdin=text, timeout=120
        )
    except process.CommandFailed as error:
        raise SigningFailed(
            f"{command[0]} has made no signature.",
            found=error.found,
            needed="a key that is not locked, or whose agent holds it unlocked",
            hint=f"{unlock}. {command[0]} is in the package {package}." if error.found else error.hint,
        ) from error
    return done.stdout
