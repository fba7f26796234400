"""Tiny real wheels (binary distribution format), with RECORD."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import zipfile
from collections.abc import Mapping
from pathlib import Path

from wheelhouse.manifest import Package


def build(
    folder: Path,
    name: str,
    files: Mapping[str, bytes],
    *,
    version: str = "1.0",
    entry_points: str = "",
    tag: str = "py3-none-any",
) -> Path:
    """Write ``name-version-tag.whl`` with `files` (path in site-packages -> content) and return its path."""
    info = f"{name}-{version}.dist-info"
    contents = dict(files)
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    contents[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    if entry_points:
        contents[f"{info}/entry_points.txt"] = f"[console_scripts]\n{entry_points}\n".encode()
    record = "".join(f"{path},{_digest(content)},{len(content)}\n" for path, content in contents.items())
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    target = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
    return target


def installed(folder: Path, name: str) -> Path:
    """Make a wheel again from an installed distribution of pure Python; scripts are left out."""
    found = importlib.metadata.distribution(name)
    inside = [path for path in found.files or () if ".." not in path.parts and path.suffix != ".pyc"]
    target = folder / f"{name}-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path in inside:
            archive.write(str(path.locate()), str(path))
    return target


def package(wheel: Path) -> Package:
    """The wheel as a bundle's manifest describes it."""
    name, version = wheel.name.split("-")[:2]
    name = name.replace("_", "-")
    content = wheel.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Package(name, version, f"wheels/{wheel.name}", len(content), digest, "https://files.example/")


def _digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
