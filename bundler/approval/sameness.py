"""Whether two bundles are the same file, and where they are not: in content, or only in how it is packed."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bundler.approval.licences import shortened
from bundler.base import toml
from bundler.base.digest import packed_offset, stream_digest
from bundler.inspection import whole
from wheelhouse import layout
from wheelhouse.reader import Bundle

SAME, PACKED, DIFFERENT = "same", "packed", "different"
_SEAL = "header"
_CHUNK = 1 << 20
_SHOWN = 5
_OF_THE_ARCHIVE = re.compile(rb"^# airferry-(size|sha256|python): \w+$", re.MULTILINE)


@dataclass(frozen=True)
class MemberDifference:
    """A member that differs: `kind` is missing, added, content, packed (same content) or follows.

    What follows only tells of other members that are packed otherwise: their size and sha256.
    """

    name: str
    kind: str
    detail: str = ""


@dataclass(frozen=True)
class Sameness:
    """The answer: same (byte for byte), packed (only compression and the like differ) or different."""

    answer: str
    sha256: tuple[str, str]
    members: tuple[MemberDifference, ...]


def between(first: Path, second: Path, progress: Callable[[int], None] | None = None) -> Sameness:
    """Compare two bundles, both of which are verified first; raises the errors of verifying."""
    with whole.opened(first, progress) as one, whole.opened(second, progress) as other:
        bundles = (one.bundle, other.bundle)
        digests = (_digest(bundles[0].stream), _digest(bundles[1].stream))
        if digests[0] == digests[1]:
            return Sameness(SAME, digests, ())
        found = list(_members(*bundles))
        packed = {item.name for item in found if item.kind == "packed"}
        found += _following(*bundles, packed)
        if _script(bundles[0]) != _script(bundles[1]):
            found.append(MemberDifference(_SEAL, "content", "the script in front of the archive"))
    only_packed = all(item.kind in ("packed", "follows") for item in found)
    return Sameness(
        PACKED if only_packed else DIFFERENT, digests, tuple(sorted(found, key=lambda item: item.name))
    )


def _members(first: Bundle, second: Bundle) -> Iterator[MemberDifference]:
    """The members that differ, but for the manifest and the lock."""
    ours, theirs = ({file.path: file for file in bundle.manifest.files} for bundle in (first, second))
    entries = [{info.filename: info for info in bundle.infos} for bundle in (first, second)]
    for name in sorted({*ours, *theirs} - {layout.LOCK}):
        if name not in theirs:
            yield MemberDifference(name, "missing", "only in the first")
        elif name not in ours:
            yield MemberDifference(name, "added", "only in the second")
        elif ours[name].sha256 != theirs[name].sha256:
            inside = _inside(first, second, name) if name.endswith(".whl") else None
            yield inside or MemberDifference(name, "content")
        else:
            told = _entry(first, entries[0][name], second, entries[1][name])
            if told:
                yield MemberDifference(name, "packed", told)
    if set(ours) == set(theirs) and first.names() != second.names():
        yield MemberDifference("(order)", "packed", "the members lie in another order")


def _inside(first: Bundle, second: Bundle, name: str) -> MemberDifference | None:
    """How two wheels differ inside; None for what is no wheel."""
    try:
        with (
            zipfile.ZipFile(first.stream) as one,
            zipfile.ZipFile(second.stream) as other,
            one.open(name) as ours,
            other.open(name) as theirs,
            zipfile.ZipFile(ours) as left,
            zipfile.ZipFile(theirs) as right,
        ):
            contents = [_contents(wheel) for wheel in (left, right)]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError):
        return None
    if contents[0] == contents[1]:
        return MemberDifference(name, "packed", "the same files inside, packed otherwise")
    names = sorted(
        shortened(path)
        for path in {*contents[0], *contents[1]}
        if contents[0].get(path) != contents[1].get(path)
    )
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return MemberDifference(name, "content", f"inside: {', '.join(names[:_SHOWN])}{more}")


def _contents(wheel: zipfile.ZipFile) -> dict[str, str]:
    found = {}
    for info in wheel.infolist():
        if not info.is_dir():
            with wheel.open(info) as stream:
                found[info.filename] = stream_digest(stream)
    return found


def _entry(first: Bundle, ours: zipfile.ZipInfo, second: Bundle, theirs: zipfile.ZipInfo) -> str:
    """How the entries of the same content differ; empty when they do not."""
    told = []
    if (ours.compress_type, ours.compress_size) != (theirs.compress_type, theirs.compress_size):
        told.append(f"{ours.compress_size:,} and {theirs.compress_size:,} bytes packed")
    elif _packed(first.stream, ours) != _packed(second.stream, theirs):
        told.append("compressed otherwise")
    if (ours.date_time, ours.external_attr, ours.create_system, ours.extra, ours.comment) != (
        theirs.date_time, theirs.external_attr, theirs.create_system, theirs.extra, theirs.comment,
    ):  # fmt: skip
        told.append("another time or mode")
    return "; ".join(told)


def _packed(stream: BinaryIO, info: zipfile.ZipInfo) -> str:
    stream.seek(packed_offset(stream, info))
    return stream_digest(stream, info.compress_size)


def _following(first: Bundle, second: Bundle, packed: set[str]) -> Iterator[MemberDifference]:
    """The manifest and the lock, which name size and sha256 of what is packed otherwise."""
    freed = [_freed(bundle, packed) for bundle in (first, second)]
    for name, texts in (
        (layout.MANIFEST, [bundle.text for bundle in (first, second)]),
        (layout.LOCK, [_lock(bundle) for bundle in (first, second)]),
    ):
        if texts[0] != texts[1]:
            same = freed[0][name] == freed[1][name]
            detail = "names size and sha256 of these" if same else ""
            yield MemberDifference(name, "follows" if same else "content", detail)


def _freed(bundle: Bundle, packed: set[str]) -> dict[str, Any]:
    """Manifest and lock as data, without size and sha256 of the members `packed` and of the lock."""
    without = {*packed, layout.LOCK}
    manifest = _blank(json.loads(bundle.text), without)
    return {layout.MANIFEST: manifest, layout.LOCK: _blank(toml.loads(_lock(bundle)), without)}


def _blank(data: Any, paths: set[str]) -> Any:
    if isinstance(data, list):
        return [_blank(item, paths) for item in data]
    if isinstance(data, Mapping):
        gone = {"size", "sha256", "hashes"} if data.get("path") in paths else set()
        return {name: _blank(value, paths) for name, value in data.items() if name not in gone}
    return data


def _lock(bundle: Bundle) -> str:
    return bundle.read(layout.LOCK).decode()


def _script(bundle: Bundle) -> bytes:
    """The script in front of the archive, without what it says of the archive."""
    start = min(info.header_offset for info in bundle.infos)
    bundle.stream.seek(0)
    script = bundle.stream.read(start)
    return _OF_THE_ARCHIVE.sub(b"", script)


def _digest(stream: BinaryIO) -> str:
    stream.seek(0)
    return stream_digest(stream)
