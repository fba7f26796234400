"""Which members of a tar archive may be unpacked: the rules of PEP 706's data filter, on any Python."""

from __future__ import annotations

import posixpath
import tarfile
from typing import AbstractSet, Iterable, Set


def symlinks(members: Iterable[tarfile.TarInfo]) -> Set[str]:
    """The names of the symbolic links, for :func:`unsafe`."""
    return {posixpath.normpath(member.name) for member in members if member.issym()}


def unsafe(member: tarfile.TarInfo, links: AbstractSet[str], top: str = "") -> str:
    """Why a member must not be unpacked; empty when it may be.

    `links` are the symbolic links that may be there when it is, and `top` the only folder it may lie in.
    """
    name = posixpath.normpath(member.name)
    if not _is_inside(name, top):
        return f"outside of {top or 'its folder'}{top and '/'}"
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        return "neither file, folder nor link"
    parts = name.split("/")
    if any("/".join(parts[:depth]) in links for depth in range(1, len(parts))):
        return "below a link"
    if (member.issym() or member.islnk()) and not _is_inside(_target(member), top):
        return f"a link to {member.linkname}"
    return ""


def _target(link: tarfile.TarInfo) -> str:
    """Where a link leads, from the archive's top, from which a hard link names its target."""
    base = posixpath.dirname(link.name) if link.issym() else ""
    return posixpath.normpath(posixpath.join(base, link.linkname))


def _is_inside(name: str, top: str) -> bool:
    """Whether a normalised path stays in the folder."""
    if top:
        return name == top or name.startswith(f"{top}/")
    return name != ".." and not name.startswith(("../", "/"))
