"""Which package a source archive holds, when the name of the file does not tell."""

from __future__ import annotations

import configparser
import email
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bundler.base import toml

_LARGEST = 1 << 20
_TOLD = ("PKG-INFO", "pyproject.toml", "setup.cfg")
NEEDED = "the name of the file does not tell the package; write: NAME @ "


def split(stem: str) -> tuple[str, str] | None:
    """Name and version as ``name-version`` tells them (PEP 625 and before it); None when it does not."""
    name, _, version = stem.rpartition("-")
    try:
        return (canonicalize_name(name, validate=True), str(Version(version)))
    except ValueError:
        return None


def package(path: Path) -> tuple[str, str]:
    """Name and version of a source archive; the version is "" when only a build tells it.

    From its PKG-INFO, pyproject.toml (PEP 621) or setup.cfg. Raises InvalidRequirement when none names it.
    """
    try:
        found = _read_zip(path) if zipfile.is_zipfile(path) else _read_tar(path)
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise InvalidRequirement(f"the archive cannot be read: {reason}") from error
    name, version = _from_pkg_info(found.get("PKG-INFO", b"")) or _from_project(found)
    try:
        return canonicalize_name(name, validate=True), str(Version(version)) if version else ""
    except InvalidVersion:
        return canonicalize_name(name), ""
    except ValueError:
        raise InvalidRequirement(f"{NEEDED}{path.resolve().as_uri()}") from None


def _top(name: str) -> str:
    """The name of a file that tells, at the top of an archive or in its one folder; "" for others."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return parts[-1] if parts and len(parts) <= 2 and parts[-1] in _TOLD else ""


def _read_zip(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        told = [item for item in archive.infolist() if _top(item.filename) and item.file_size <= _LARGEST]
        return {_top(item.filename): archive.read(item) for item in told}


def _read_tar(path: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(path) as archive:
        for item in archive:
            stream = archive.extractfile(item) if item.isreg() and item.size <= _LARGEST else None
            if stream and _top(item.name):
                found[_top(item.name)] = stream.read()
    return found


def _from_pkg_info(content: bytes) -> tuple[str, str] | None:
    about = email.message_from_bytes(content)
    return (about["Name"], about["Version"] or "") if about["Name"] else None


def _from_project(found: Mapping[str, bytes]) -> tuple[str, str]:
    try:
        project = toml.loads(found.get("pyproject.toml", b"").decode()).get("project")
    except ValueError:
        project = None
    if isinstance(project, dict) and isinstance(project.get("name"), str):
        return project["name"], str(project.get("version", ""))
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(found.get("setup.cfg", b"").decode())
    except (configparser.Error, ValueError):
        return "", ""
    return parser.get("metadata", "name", fallback=""), parser.get("metadata", "version", fallback="")
